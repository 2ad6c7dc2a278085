// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// KernelRelease returns the release (what uname -r says) in the header of a kernel image. The error wraps
// ErrNotBootable when the file is not one.
func KernelRelease(kernel string) (string, error) {
	f, err := os.Open(kernel)
	if err != nil {
		return "", fmt.Errorf("kernel: %w", err)
	}
	defer f.Close()
	// The boot protocol's header: magic "HdrS" at 0x202, and at 0x20e the offset, less 0x200, of the version string.
	var header [0x210]byte
	if _, err := f.ReadAt(header[:], 0); err != nil || string(header[0x202:0x206]) != "HdrS" {
		return "", fmt.Errorf("%s: %w", kernel, ErrNotBootable)
	}
	var text [256]byte
	n, err := f.ReadAt(text[:], int64(binary.LittleEndian.Uint16(header[0x20e:]))+0x200)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("%s: %w", kernel, err)
	}
	version, _, _ := bytes.Cut(text[:n], []byte{0})
	release, _, _ := strings.Cut(string(version), " ")
	return release, nil
}

// interpreter returns the dynamic loader an x86-64 executable asks for, empty when it is static. A file that is no
// such executable is an error.
func interpreter(program string) (string, error) {
	f, err := elf.Open(program)
	var unreadable *fs.PathError
	switch {
	case errors.As(err, &unreadable):
		return "", err
	case err != nil:
		return "", fmt.Errorf("not an x86-64 executable: %w", err)
	}
	defer f.Close()
	if f.Machine != elf.EM_X86_64 || (f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN) {
		return "", fmt.Errorf("not an x86-64 executable (%v, %v)", f.Machine, f.Type)
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
		if err != nil {
			return "", fmt.Errorf("read interpreter: %w", err)
		}
		return string(bytes.TrimRight(name, "\x00")), nil
	}
	return "", nil
}
