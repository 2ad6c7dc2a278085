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
