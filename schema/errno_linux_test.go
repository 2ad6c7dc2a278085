// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dtrec/dtrec/schema"
)

// Every errno that a system call may return has its name, and so has every one that only the kernel sees.
func TestErrnosHaveNames(t *testing.T) {
	for n := 1; n <= 4095; n++ {
		want := unix.ErrnoName(unix.Errno(n))
		switch {
		case n == int(unix.ENOTSUP):
			want = "EOPNOTSUPP" // the same number
		case n == 512:
			want = "ERESTARTSYS"
		case n == 518:
			want = "EOPENSTALE"
		case n == 600:
			want = "600"
		case n > 133:
			want = schema.ErrnoName(n)
		case want == "":
			want = strconv.Itoa(n)
		}
		if got := schema.ErrnoName(n); got != want || got == "" {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
		if back := schema.ErrnoNumber(schema.ErrnoName(n)); back != n {
			t.Errorf("%s is %d, want %d", schema.ErrnoName(n), back, n)
		}
	}
	if got := schema.ErrnoName(0) + schema.ErrnoName(-1) + schema.ErrnoName(4096); got != "" {
		t.Errorf("what is no errno is called %q", got)
	}
	if got := schema.ErrnoText(512) + schema.ErrnoText(600); got != "−512 (ERESTARTSYS)−600" {
		t.Errorf("texts %q", got)
	}
}
