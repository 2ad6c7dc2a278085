// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"strings"
)

// programOf returns the header of an ELF file and the dynamic loader that it needs; no loader if it is static.
func programOf(file string) (header elf.FileHeader, loader string, err error) {
	f, err := elf.Open(file)
	if errors.As(err, new(*fs.PathError)) {
		return header, "", err
	}
	if err != nil {
		return header, "", fmt.Errorf("not an executable: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			name, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
			if err != nil {
				return header, "", fmt.Errorf("read interpreter: %w", err)
			}
			return f.FileHeader, string(bytes.TrimRight(name, "\x00")), nil
		}
	}
	return f.FileHeader, "", nil
}

// runs returns an error if an ELF file is not an executable for this architecture.
func (a *arch) runs(h elf.FileHeader) error {
	if h.Machine != a.machine || (h.Type != elf.ET_EXEC && h.Type != elf.ET_DYN) {
		return fmt.Errorf("not an executable for %s (%v, %v)", a.name, h.Machine, h.Type)
	}
	return nil
}

// librariesOf returns the paths of the shared libraries that a program loads, and of its dynamic loader. The loader itself
// lists them, so it must be the host's own: a program names any file as its loader, and is not to have that run.
func librariesOf(program, loader string) ([]string, error) {
	loader = path.Clean(loader)
	if !strings.HasPrefix(loader, "/lib") && !strings.HasPrefix(loader, "/usr/lib") {
		return nil, fmt.Errorf("%s is no loader of this system", loader)
	}
	out, err := exec.Command(loader, "--list", program).Output()
	if err != nil {
		return nil, fmt.Errorf("%s --list: %w", loader, err)
	}
	files := []string{loader}
	for line := range strings.Lines(string(out)) { // "libc.so.6 => /lib/libc.so.6 (0x7f…)", or without the first two words
		name, place, found := strings.Cut(strings.TrimSpace(line), " => ")
		if !found {
			place = name
		}
		place, _, _ = strings.Cut(place, " (0x")
		switch {
		case place == "not found":
			return nil, fmt.Errorf("%s: not found", name)
		case path.IsAbs(place) && path.Clean(place) != loader:
			files = append(files, path.Clean(place))
		}
	}
	return files, nil
}
