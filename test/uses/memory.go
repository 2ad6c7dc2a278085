// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// arena is memory below 4 GiB, where 32-bit calls find it, and which nothing moves or frees.
var arena []byte

// room is as many zeroed bytes of it.
func room(n int) []byte {
	if arena == nil {
		var err error
		arena, err = unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|low)
		check(err)
	}
	b := arena[:n:n]
	arena = arena[(n+7)&^7:]
	return b
}

// place is the address of a string that ends with a NUL.
func place(s string) uintptr {
	b := room(len(s) + 1)
	copy(b, s)
	return address(&b[0])
}

// arguments is a list of strings as execve takes it; empty: of none.
func arguments(list ...string) uintptr {
	b := room(8 * (len(list) + 1))
	for i, s := range list {
		if s != "" {
			*(*uintptr)(unsafe.Pointer(&b[8*i])) = place(s)
		}
	}
	return address(&b[0])
}

func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// at is a descriptor, or AT_FDCWD, as system calls take it.
func at(fd int) uintptr { return uintptr(fd) }
