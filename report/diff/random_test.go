// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// randomScene returns random operations of a few programs on a few files.
func randomScene(r *rand.Rand, n int) []op {
	var ops []op
	for i := range 12 {
		if r.IntN(2) == 0 {
			ops = append(ops, op{Program: "init", Do: "onDisk", Path: file(i)})
		}
	}
	for len(ops) < n {
		o := op{Program: []string{"cat", "sh", "make", "cc"}[r.IntN(4)], Path: file(r.IntN(12))}
		switch r.IntN(12) {
		case 0:
			o.Do = "create"
		case 1:
			o.Do = "remove"
		case 2:
			if o.Do = "open"; r.IntN(6) == 0 {
				o.Do, o.Path = "drop", ""
			}
		default:
			o.Do = "open"
		}
		ops = append(ops, o)
	}
	return ops
}

func file(i int) string {
	return []string{"usr/src/", "usr/include/", "usr/"}[i%3] + strings.Repeat("x", i%2*40) + "file" + strconv.Itoa(i)
}

// The same scene at other addresses is the same run.
func TestRandomScenesAreTheSame(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		ops := randomScene(r, 20+r.IntN(300))
		d := compare(t, record(t, here(), seed, ops), record(t, there(), seed+1000, ops))
		if d.Verdict() != Same || slices.ContainsFunc(d.Excused, func(e Excuse) bool { return e.Why != whyKills }) || d.Same != d.A.Calls || d.Same == 0 {
			t.Fatalf("seed %d: %s\n%s", seed, d.summary(), text(t, d))
		}
	}
}

// A random edit of a random scene is found and reported as one difference; later differences are reported
// as following from it.
func TestRandomEditIsTheOnlyDifference(t *testing.T) {
	alone := 0
	const seeds = 300
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 8))
		ops := randomScene(r, 30+r.IntN(200))
		edited, what := change(r, ops)
		d := compare(t, record(t, here(), seed, ops), record(t, there(), seed+1000, edited))
		if d.Verdict() != Different {
			t.Fatalf("seed %d, %s: not found\n%s", seed, what, text(t, d))
		}
		if d.Count() == 1 {
			alone++
		} else {
			t.Logf("seed %d, %s:\n%s", seed, what, text(t, d))
		}
	}
	t.Logf("%d of %d told as one difference", alone, seeds)
	if alone < seeds*99/100 {
		t.Errorf("%d of %d told as one difference", alone, seeds)
	}
}

// change makes one change that must show: to an open, or to an operation on a file that exists.
func change(r *rand.Rand, ops []op) ([]op, string) {
	out := slices.Clone(ops)
	for {
		i := 12 + r.IntN(len(out)-13)
		switch o := out[i]; r.IntN(5) {
		case 0:
			if o.Do == "open" || o.Do == "drop" {
				return slices.Delete(out, i, i+1), "without " + o.String()
			}
		case 1:
			if o.Do == "open" {
				out[i].Path = "usr/src/other"
				return out, o.String() + " became " + out[i].String()
			}
		case 2:
			o.Do, o.Path = "open", "usr/src/more"
			return slices.Insert(out, i, o), "with " + o.String()
		case 3:
			if next := out[i+1]; o.Do == "open" && next.Do == "open" && o.Program == next.Program && o.Path != next.Path {
				out[i], out[i+1] = next, o
				return out, "after " + next.String() + ": " + o.String()
			}
		case 4:
			o.Do = "open"
			return slices.Insert(out, i, o, o), "twice more " + o.String()
		}
	}
}
