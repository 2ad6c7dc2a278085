// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

func explained(t *testing.T, play func(*tape)) string {
	t.Helper()
	var b strings.Builder
	if err := Markdown(&b, taped(t, &schema.Footer{}, play), PageOptions{ExplainHash: true}); err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(b.String(), "## Hashes, Step by Step\n")
	if !found {
		t.Fatal("no section")
	}
	return section
}

// A hash is explained once, however many lookups have it.
func TestHashIsExplainedOnce(t *testing.T) {
	s := explained(t, func(r *tape) { r.hit("f", addrA, 5); r.hit("f", addrA, 5); r.hit("g", addrB, 6) })
	if n := strings.Count(s, "y >>= 32"); n != 2 {
		t.Errorf("%d hashes, want 2:\n%s", n, s)
	}
}

// If the filesystem has its own hash, no computation is shown that the kernel did not do.
func TestOwnHashIsNotExplained(t *testing.T) {
	s := explained(t, func(r *tape) {
		r.open("F")
		r.change(func(e *schema.Event) { e.Hash, e.Facts = 77, schema.FactParentOpHash })
		r.rcu(rootAddr, "F", 0, addrA, 5)
		r.opened(addrA, rootAddr, 5, "F")
	})
	if strings.Contains(s, ">>=") || !strings.Contains(s, "its own hash") || !strings.Contains(s, "the kernel's hash is 77.") {
		t.Errorf("it says\n%s", s)
	}
}

// A wrong hash is still computed, so that the reader sees where it differs.
func TestWrongHashIsExplained(t *testing.T) {
	s := explained(t, func(r *tape) {
		r.open("f")
		r.change(func(e *schema.Event) { e.Hash = 77 })
		r.rcu(rootAddr, "f", 0, addrA, 5)
		r.opened(addrA, rootAddr, 5, "f")
	})
	if !strings.Contains(s, "**refuted**") || !strings.Contains(s, "; the kernel's: 77") {
		t.Errorf("it says\n%s", s)
	}
}
