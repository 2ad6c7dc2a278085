// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// arena is memory below 4 GiB, where 32-bit calls can address it, and which the garbage collector
// neither moves nor frees.
var arena []byte

// allocLow returns n zeroed bytes of the arena.
func allocLow(n int) []byte {
	if arena == nil {
		var err error
		arena, err = unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|low)
		check(err)
	}
	b := arena[:n:n]
	arena = arena[(n+7)&^7:]
	return b
}

// copyString returns the address of a copy of s that ends with a NUL.
func copyString(s string) uintptr {
	b := allocLow(len(s) + 1)
	copy(b, s)
	return address(&b[0])
}

// arguments returns the address of a list of strings as execve takes it. With "" the list is empty.
func arguments(list ...string) uintptr {
	b := allocLow(8 * (len(list) + 1))
	for i, s := range list {
		if s != "" {
			*(*uintptr)(unsafe.Pointer(&b[8*i])) = copyString(s)
		}
	}
	return address(&b[0])
}

func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// fdArg converts a descriptor, or AT_FDCWD, to a system call argument.
func fdArg(fd int) uintptr { return uintptr(fd) }
