// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strings"
	"testing"
)

// The address of the path and of the copy source in the first open of hold's run. A page in these tests
// writes B for the path and A, which is B + 5, for the name.
const (
	pathAddress = "0xffff888300007020"
	nameAddress = "0xffff888300007025"
)

// verdictsOn returns the verdicts on the calculations of a page.
func verdictsOn(t *testing.T, page string) string {
	t.Helper()
	page = strings.NewReplacer("A", nameAddress, "B", pathAddress).Replace(page)
	var out []string
	for _, f := range hold(page, false).Findings {
		if f.Kind != "address" && f.Kind != "event" {
			out = append(out, f.Kind+" "+f.Verdict.String())
		}
	}
	return strings.Join(out, "; ")
}

// notations lists calculations in the notations that people use. N stands for the result, right or wrong.
var notations = []struct{ page, right, wrong string }{
	{"A − B = N", "5", "6"},
	{"A − B = N", "0x5", "0x6"},
	{"A − B = N = 5", "0x5", "0x6"},
	{"A − B = 0x5 = N", "5", "6"},
	{"`A` − `B` = `N`", "0x5", "0x6"},
	{"`A − B = N`", "0x5", "0x6"},
	{"**A** − **B** = **N**", "5", "6"},
	{"_A_ − *B* = __N__", "5", "6"},
	{"**`A`** − **`B`** = N", "5", "6"},
	{"A-B=N", "5", "6"},
	{"A – B = N", "5", "6"},
	{"A — B = N", "5", "6"},
	{"A – B = N", "5", "6"},
	{"A &minus; B = N", "5", "6"},
	{"A &#8722; B = N", "5", "6"},
	{"A \\- B = N", "5", "6"},
	{"A &nbsp;− B = N", "5", "6"},
	{"A minus B equals N", "5", "6"},
	{"A − B is N", "5", "6"},
	{"(A − B) = N", "5", "6"},
	{"[A] − [B] = N", "5", "6"},
	{"A − B == N", "5", "6"},
	{"N = A − B", "5", "6"},
	{"B − A = N", "-5", "-6"},
	{"B − A = N", "0xfffffffffffffffb", "0x5"},
	{"(A − B) / 5 = N", "1", "7"},
	{"(A − B) * 8 + 2 = N", "42", "43"},
	{"A −\nB = N", "0x5", "0x6"},
	{"A − B\n= N", "0x5", "0x6"},
	{"> A −\n> B = N", "0x5", "0x6"},
	{"- A −\n  B = N", "0x5", "0x6"},
	{"A − B =  \nN", "0x5", "0x6"},
	{"# A − B = N", "0x5", "0x6"},
	{"| A − B = N | x |\n|---|---|", "0x5", "0x6"},
	{"[A − B = N](http://x)", "0x5", "0x6"},
	{"<p>A − B = N</p>", "0x5", "0x6"},
	{"<code>A</code> − <code>B</code> = N", "0x5", "0x6"},
	{"```\nA − B = N\n```", "0x5", "0x6"},
	{"```text\nA − B =\n  N\n```", "0x5", "0x6"},
	{"    A − B = N", "0x5", "0x6"},
	{"A (__d_alloc entry, #8) − B (do_filp_open entry, #1) = N, so", "5", "6"},
	{"A #8 − B #1 = N", "5", "6"},
	{"A − B = N bytes", "5", "6"},
	{"the difference – A − B = N – is", "5", "6"},
	{"(see the other one: A − B = N)", "5", "6"},
	{"A (that is, A − B = N) is", "5", "6"},
	{"B + N = A", "5", "6"},
	{"B + 5 = N", nameAddress, pathAddress},
	{"A & 0xff = N", "0x25", "0x26"},
	{"0x10 − 0x8 = N", "0x8", "0x7"},
	{"16 - 8 = N", "8", "7"},
	{"`0x10` − `8` = N", "8", "7"},
	{"3 × 4 = N", "12", "13"},
	{"1 << 4 = N", "16", "15"},
	{"1 &lt;&lt; 4 = N", "16", "15"},
	{"`A` = `N`", nameAddress, pathAddress},
	{"A == N", nameAddress, pathAddress},
	{"**A** = **N**", nameAddress, pathAddress},
	{"A (x, #8) = D2 N (y, #9)", nameAddress, pathAddress},
	{"A ≠ N", pathAddress, nameAddress},
	{"`A` != `N`", pathAddress, nameAddress},
	{"A > N", pathAddress, nameAddress},
	{"0x5 = N", "5", "6"},
}

// Arithmetic is computed again in any notation.
func TestArithmeticInAnyNotation(t *testing.T) {
	for _, c := range notations {
		if got := verdictsOn(t, strings.ReplaceAll(c.page, "N", c.right)); got == "" || strings.Contains(strings.ReplaceAll(got, " found", ""), " ") {
			t.Errorf("%q with the right %s: %s", c.page, c.right, got)
		}
		if got := verdictsOn(t, strings.ReplaceAll(c.page, "N", c.wrong)); !strings.Contains(got, " wrong") {
			t.Errorf("%q with the wrong %s: %s", c.page, c.wrong, got)
		}
	}
}

// A statement about an address that cannot be computed is reported.
func TestArithmeticThatIsNotUnderstoodIsSaid(t *testing.T) {
	for _, page := range []string{"A − B", "A - B", "A – B", "A − path = 5", "A - path = 5", "name − B = 5", "name - B = 5", "A = the path", "A == name",
		"A + offset = 6", "A − B → 6", "A − B yields six", "offset + B = A", "A ≠ name", "A >> shift = 6", "A − x", "x − A"} {
		if got := verdictsOn(t, page); !strings.Contains(got, "not understood") {
			t.Errorf("%q: %s", page, got)
		}
	}
}

// Text that only looks like arithmetic is not treated as such.
func TestProseIsNoArithmetic(t *testing.T) {
	for _, page := range []string{"- A", "* A", "A - a name", "the pointer - A - is", "the pointer – A – is", "A / B", "A, B", "A & B", "pointer = A", "pointer: A = B",
		"x->y = A", "A -> A", "A → A", "| A | B |", "2026-11-20", "1.2-3", "fs.h:10-20", "f(5) = 6", "a[5] = 6", "open 1 = 2", "#1-#2", "A D1", "`name` - A", "A (x) - y",
		"```\nA\n- B\n```", "```\nold − B\n```"} {
		want := map[string]string{"pointer: A = B": "equality wrong", "```\nold − B\n```": "arithmetic not understood"}[page]
		if got := verdictsOn(t, page); got != want {
			t.Errorf("%q: %s, want %q", page, got, want)
		}
	}
}

// A very long passage is read in linear time; in quadratic time this test would not finish. A statement
// that goes on for too long is not understood.
func TestLongPassages(t *testing.T) {
	for _, c := range []struct {
		repeated string
		want     string // first verdict
		findings int
	}{
		{"A /\n", "", 0},
		{"A & ", "", 0},
		{"A + ", "arithmetic not understood", 1},
		{"A − B = 5\n", "arithmetic found", 20_000},
		{"A − B = 5, length\n", "arithmetic found", 20_000},
		{"(A − (", "arithmetic not understood", 20_000},
		{"D1 ", "", 0},
		{"B appears at do_filp_open entry and d_lookup entry.\n", "equality found", 40_000},
	} {
		got := verdictsOn(t, strings.Repeat(c.repeated, 20_000))
		first, _, _ := strings.Cut(got, ";")
		if n := strings.Count(got, ";"); first != c.want || c.findings > 0 && n+1 != c.findings {
			t.Errorf("%q: %s … %d", c.repeated, first, n+1)
		}
	}
	if got := verdictsOn(t, "B appears at do_filp_open entry"+strings.Repeat(" and so on", maxAhead)); got != "equality not understood" {
		t.Error(got)
	}
}
