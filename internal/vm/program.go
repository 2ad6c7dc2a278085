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

// machineOf returns the architecture of an executable.
func machineOf(program string) (elf.Machine, error) {
	f, err := openELF(program)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Machine, nil
}

func openELF(name string) (*elf.File, error) {
	f, err := elf.Open(name)
	if err != nil && !errors.As(err, new(*fs.PathError)) {
		return nil, fmt.Errorf("not an executable: %w", err)
	}
	return f, err
}

// interpreter returns the dynamic loader that an executable needs; empty if it is static. A file that is not
// an executable for the architecture is an error.
func interpreter(program string, a *arch) (string, error) {
	f, err := openELF(program)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if f.Machine != a.machine || (f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN) {
		return "", fmt.Errorf("not an executable for %s (%v, %v)", a.name, f.Machine, f.Type)
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
