// SPDX-License-Identifier: Apache-2.0

package schema

// OpenFlags converts the flags of an open from the numbers of a machine, named as by uname -m, to those of
// most machines, x86-64 among them (include/uapi/asm-generic/fcntl.h).
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

// openFlags lists the machines with numbers of their own, from arch/arm64/include/uapi/asm/fcntl.h:
// O_DIRECTORY (also part of O_TMPFILE), O_NOFOLLOW, O_DIRECT, O_LARGEFILE.
var openFlags = map[string][]struct{ own, generic uint32 }{
	"aarch64": {{0o40000, 0o200000}, {0o100000, 0o400000}, {0o200000, 0o40000}, {0o400000, 0o100000}},
}
