// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// hold checks a page against a run of a simulated kernel.
func hold(page string, imported bool) *Result {
	h := tracetest.Header()
	if imported {
		for _, p := range h.Probe {
			p.Attach, p.Uncounted = schema.Attach_ATTACH_DMESG, true
		}
	}
	run := Look(Parse([]byte(page)), h)
	id := uint64(0)
	k := tracetest.NewKernel(1, func(e *schema.Event) {
		id++
		c := *e
		if c.ID = id; imported {
			c.PID, c.TID, c.Comm = 0, 0, ""
		}
		run.Record(&c)
	})
	k.Task(7, "seven")
	k.Open(true, "dir", "a")
	k.Open(false, "dir", "b")
	k.Unlink("dir", "a")
	return run.Hold([]byte("run: id `00`\nx 1\n"))
}

// For any page there is no panic, every finding lies in the page, and the counts add up.
func FuzzHold(f *testing.F) {
	for _, s := range []string{
		"- do_filp_open entry pointer = 0xffff888300007020 | `/dir/a` (#1)\n```\n/ dir / a\n└─ do_filp_open entry 0xffff888300007020\n   └─ d_lookup return NULL → NULL #2–#3\n```\n",
		"0xffff888300007025 (__d_alloc entry, #8) − 0xffff888300007020 (do_filp_open entry, #1) = 0x5 = 5, length of `/dir/`; (0xffff888300007025 − 0xffff888300007020) / 8 = 1, 2 >> 99 = 0\n",
		"same address 0xffff888300007020 appears at __d_add; `x` under 0xffff888300007020 (#2)\n```\nx = 0, y = salt                x = 0x0000000000000000  y = 0xff2d006e01410480  the\ny >>= 99 x = 0x0000000000000000  y = 0xff2d006e01410480\nhash = 0x1 = 1; the kernel's: 1\n```\n",
		"run: id `30313233343536373839616263646566`\nx 2\n− −2 (ENOENT) (#3) killed at #9 by x (#3 by seven) @56 d_iname[40] @56 hash 1 length 2 name `\n",
		"do_filp_open return pointer: not printed\n\\_\\_d_add: 0xffff888300007020 ≠ 0xffff888300007020 = 0xffff888300007020\n",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, page string, imported bool) {
		r := hold(page, imported)
		lines, sum := strings.Split(page, "\n"), 0
		for _, f := range r.Findings {
			if f.Line < 1 || f.Line > len(lines) || f.Column < 1 || f.Column > len(lines[f.Line-1])+1 {
				t.Fatalf("%+v is not in the page", f)
			}
		}
		for _, n := range r.Counts {
			sum += n
		}
		if sum != len(r.Findings) || r.Holds() != (r.Counts[Found] == sum) {
			t.Fatalf("%v of %d", r.Counts, len(r.Findings))
		}
	})
}
