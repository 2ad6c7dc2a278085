// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const low = unix.MAP_32BIT

// int80 makes a 32-bit system call by int 0x80, and returns its result, which is negative for an errno.
func int80(nr, a, b, c uintptr) uintptr

// compat uses paths by 32-bit system calls, if the kernel has them.
func compat(dir string) {
	symbols, err := os.ReadFile("/proc/kallsyms")
	check(err)
	if !strings.Contains(string(symbols), "int80_emulation") && !strings.Contains(string(symbols), "entry_INT80_compat") {
		return
	}
	touch(dir + "/compat-file")
	buffer := address(&allocLow(256)[0])
	for _, o := range []struct {
		way, path, target string
		nr, b, c          uintptr
	}{
		{"open", "file", "", 5, unix.O_RDONLY, 0},
		{"open", "none", "", 5, unix.O_RDONLY, 0},
		{"stat", "file", "", 195, buffer, 0},
		{"access", "file", "", 33, unix.R_OK, 0},
		{"mkdir", "dir", "", 39, 0o755, 0},
		{"rmdir", "dir", "", 40, 0, 0},
		{"link", "file", "hard", 9, 0, 0},
		{"unlink", "hard", "", 10, 0, 0},
		{"readlink", "file", "", 85, buffer, 256},
		{"truncate", "file", "", 92, 8, 0},
		{"chdir", "none", "", 12, 0, 0},
		{"execve", "none", "", 11, arguments(""), arguments("")},
	} {
		u := use{Way: "32-bit " + o.way, Path: dir + "/compat-" + o.path}
		if b := o.b; o.target != "" {
			u.Target = dir + "/compat-" + o.target
			o.b = b | copyString(u.Target)
		}
		result := int32(int80(o.nr, copyString(u.Path), o.b, o.c))
		var err error
		if result < 0 {
			err = unix.Errno(-result)
		}
		report(u, err)
	}
}
