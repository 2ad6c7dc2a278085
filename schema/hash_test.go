// SPDX-License-Identifier: Apache-2.0

package schema

import "testing"

func TestHashNameMatchesKernels(t *testing.T) {
	// Printed by running kernels: salt, name, qstr.hash.
	vectors := []struct {
		salt uint64
		name string
		want uint32
	}{
		{0xffff93d60140ed80, "neg_missing", 978205885},
		{0xffff93d60140ed80, "exactly8", 2708650654},
		{0xff2ca891c141ac00, "short.txt", 229711050},
		{0xff406d8fc1411c00, "test_file_very_long_name_to_force_external_allocation_1770466275", 2526023359},
		{0xffff899181570c00, "missing_case17_raw_syscall.txt", 0x04101d47},
		{0xffff8b413f55e9c0, "dirA", 0x4937d784},
		{0xffff8b410da4e840, "file.txt", 0x3d48c5ed},
		{0xffff8977185b5780, "a.txt", 2235526309},
	}
	for _, v := range vectors {
		if got := HashName(v.salt, v.name); got != v.want {
			t.Errorf("HashName(%#x, %q) = %d, the kernel has %d", v.salt, v.name, got, v.want)
		}
	}
}
