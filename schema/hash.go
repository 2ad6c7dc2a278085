// SPDX-License-Identifier: Apache-2.0

package schema

import "math/bits"

const goldenRatio64 = 0x61C8864680B583EB // GOLDEN_RATIO_64 of include/linux/hash.h

// HashName computes qstr.hash as the kernel's hash_name() does on a 64-bit little-endian machine with
// CONFIG_DCACHE_WORD_ACCESS (NAME_HASH_WORD64_LE). The salt is the address of the parent dentry. It does
// not hold for a filesystem with its own d_op->d_hash.
func HashName(salt uint64, name string) uint32 {
	var x uint64
	y := salt
	for ; len(name) >= 8; name = name[8:] {
		x ^= load64(name)
		y ^= x
		x = bits.RotateLeft64(x, 12) + y
		y = bits.RotateLeft64(y, 45) * 9
	}
	x ^= loadTail(name)
	y ^= x * goldenRatio64
	return uint32(y * goldenRatio64 >> 32)
}

// loadTail returns the up to seven bytes of s, padded with zeros.
func loadTail(s string) uint64 {
	switch n := len(s); {
	case n >= 4: // the last four bytes may overlap the first
		return uint64(load32(s)) | uint64(load32(s[n-4:]))<<(8*(n-4))
	case n > 0:
		return uint64(s[0]) | uint64(s[n/2])<<(8*(n/2)) | uint64(s[n-1])<<(8*(n-1))
	}
	return 0
}

func load32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
