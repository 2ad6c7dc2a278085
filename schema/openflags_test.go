// SPDX-License-Identifier: Apache-2.0

package schema

import "testing"

// The flags of the same opens as recorded on two kernels: O_RDWR|O_CREAT, O_DIRECTORY, O_NOFOLLOW with
// O_PATH, O_TMPFILE, each with the kernel's own O_LARGEFILE except with O_PATH.
func TestOpenFlags(t *testing.T) {
	for arm, generic := range map[uint32]uint32{0x20042: 0x8042, 0x24000: 0x18000, 0x208000: 0x220000, 0x424002: 0x418002, 0x40000: 0x40000} {
		if got := OpenFlags("aarch64", arm); got != generic {
			t.Errorf("aarch64's %#x is %#x, want %#x", arm, got, generic)
		}
		if got := OpenFlags("x86_64", generic); got != generic {
			t.Errorf("x86-64's %#x is %#x", generic, got)
		}
	}
}
