// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// common aligns two strings byte by byte and returns the bytes that were paired.
func common(t *testing.T, a, b string) string {
	t.Helper()
	var al aligner
	var out strings.Builder
	last := pair{a: -1, b: -1}
	for _, p := range al.align(len(a), len(b), worth(func(i, j int) bool { return a[i] == b[j] }, nil),
		func(side, i int) uint64 { return uint64([]string{a, b}[side][i]) }) {
		if p.a <= last.a || p.b <= last.b || a[p.a:p.a+p.n] != b[p.b:p.b+p.n] {
			t.Fatalf("%q, %q: pair %v after %v", a, b, p, last)
		}
		last = pair{a: p.a + p.n - 1, b: p.b + p.n - 1}
		out.WriteString(a[p.a : p.a+p.n])
	}
	return out.String()
}

// worth builds the worth function of two sequences from functions that say which elements are the same and
// which are similar.
func worth(same, like func(i, j int) bool) func(i, j int) int {
	return func(i, j int) int {
		switch {
		case same(i, j):
			return sameWorth
		case like != nil && like(i, j):
			return labelWorth
		}
		return 0
	}
}

func TestAlign(t *testing.T) {
	for _, test := range []struct{ a, b, want string }{
		{"", "", ""}, {"abc", "", ""}, {"abc", "abc", "abc"}, {"abc", "axc", "ac"},
		{"abcdef", "bcdefa", "bcdef"}, {"aaaa", "aa", "aa"}, {"abcabba", "cbabac", "baba"},
	} {
		if got := common(t, test.a, test.b); len(got) != len(test.want) {
			t.Errorf("%q, %q: %q, want %q", test.a, test.b, got, test.want)
		}
	}
}

// Sequences that are too long for the table are aligned as well, and few edits leave nearly everything in
// common.
func TestAlignLong(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a := make([]byte, 8000)
	for i := range a {
		a[i] = byte('a' + r.IntN(20))
	}
	b := append([]byte("###"), a...)
	for range 40 {
		b[r.IntN(len(b))] = '#'
	}
	b = append(b[:5000], b[5007:]...)
	if got := common(t, string(a), string(b)); len(got) < 7900 {
		t.Errorf("%d of 8000 in common", len(got))
	}
	common(t, string(a), strings.Repeat("z", 9000))
}

// Similar pairs decide between alignments that are equally good, but never win against more equal elements.
func TestAlignNear(t *testing.T) {
	a, b := "xY", "Yx" // X and x are similar
	var al aligner
	pairs := al.align(2, 2, worth(func(i, j int) bool { return a[i] == b[j] }, func(i, j int) bool { return a[i]|32 == b[j]|32 }), nil)
	if len(pairs) != 2 {
		t.Errorf("%v", pairs)
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for i := range uint64(1000) {
		h[bucketOf(i*1000)]++
	}
	for _, q := range []struct {
		q    float64
		want uint64
	}{{0.5, 500_000}, {0.99, 990_000}} {
		if got := h.quantile(1000, q.q); got < q.want*15/16 || got > q.want*17/16 {
			t.Errorf("quantile %g is %d, want %d", q.q, got, q.want)
		}
	}
	for _, ns := range []uint64{0, 1, 15, 16, 17, 31, 32, 1000, 1 << 40, ^uint64(0)} {
		i := bucketOf(ns)
		if m := middleOf(i); i < 0 || i >= len(h) || m < ns-ns/16 || m > ns+ns/16+1 && ns < 1<<60 {
			t.Errorf("%d ns: bucket %d, its middle %d", ns, i, m)
		}
	}
}

// Elements that occur once on each side are anchors in a sequence too long for the table: edits far from
// one another leave everything else in common, and an element that was moved is not paired.
func TestAlignByAnchors(t *testing.T) {
	var a []uint64
	for i := range uint64(20_000) {
		a = append(a, i+1)
	}
	b := append([]uint64{9999}, a...) // one element moved to the front,
	for i := 50; i < len(b); i += 100 {
		b[i] = 1<<32 + uint64(i) // and one in a hundred replaced
	}
	var al aligner
	common, last := 0, pair{a: -1, b: -1}
	for _, p := range al.align(len(a), len(b), worth(func(i, j int) bool { return a[i] == b[j] }, nil),
		func(side, i int) uint64 { return [][]uint64{a, b}[side][i] }) {
		for i := range p.n {
			if a[p.a+i] != b[p.b+i] || p.a <= last.a || p.b <= last.b {
				t.Fatalf("pair %v after %v", p, last)
			}
		}
		common, last = common+p.n, pair{a: p.a + p.n - 1, b: p.b + p.n - 1}
	}
	if want := len(a) - 200; common != want {
		t.Errorf("%d in common, want %d", common, want)
	}
}
