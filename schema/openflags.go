// SPDX-License-Identifier: Apache-2.0

package schema

// OpenFlags returns the flags of an open as most machines number them, x86-64 among them
// (include/uapi/asm-generic/fcntl.h), from a machine's own, as uname -m calls it.
func OpenFlags(machine string, flags uint32) uint32 {
	own := openFlags[machine]
	generic := flags
	for _, f := range own {
		generic &^= f.own
	}
	for _, f := range own {
		if flags&f.own != 0 {
			generic |= f.generic
		}
	}
	return generic
}

// openFlags has the machines with numbers of their own, arch/arm64/include/uapi/asm/fcntl.h:
// O_DIRECTORY (a part of O_TMPFILE too), O_NOFOLLOW, O_DIRECT, O_LARGEFILE.
var openFlags = map[string][]struct{ own, generic uint32 }{
	"aarch64": {{0o40000, 0o200000}, {0o100000, 0o400000}, {0o200000, 0o40000}, {0o400000, 0o100000}},
}
