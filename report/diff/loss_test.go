// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Wherever a recording of many processes of few programs loses events, it does not differ from the whole one: no call
// is cut apart, and what is left of one process is not taken for what another one did.
func TestLossAnywhere(t *testing.T) {
	whole, err := os.ReadFile("../../test/git.pb")
	if err != nil {
		t.Fatal(err)
	}
	in := tracetest.Read(t, whole)
	var times []uint64
	for rec, err := in.Next(); err == nil; rec, err = in.Next() {
		if e, ok := rec.(*schema.Event); ok {
			times = append(times, e.Time)
		}
	}
	for seed := range uint64(16) {
		r := rand.New(rand.NewPCG(seed, 3))
		var windows [][2]uint64
		for range 1 + r.IntN(20) {
			at := r.IntN(len(times))
			to := min(at+[]int{0, 1, 5, 40, 300}[r.IntN(5)], len(times)-1)
			windows = append(windows, [2]uint64{times[at], times[to]})
		}
		lossy := withLoss(t, whole, in.Header(), windows)
		pair := [2][]byte{whole, lossy}
		if seed%2 == 1 {
			pair = [2][]byte{lossy, whole}
		}
		if d := compare(t, pair[0], pair[1]); d.Verdict() != Undecided {
			t.Errorf("seed %d: %s\n%s", seed, d.summary(), strings.Join(hunks(d.Differences), "\n"))
		}
	}
}

// withLoss copies a trace without the events in the windows of time, as a recorder that lost them.
func withLoss(t *testing.T, file []byte, h *schema.Header, windows [][2]uint64) []byte {
	t.Helper()
	said := make([]bool, len(windows))
	return copied(t, file, h, func(w *schema.Writer, e *schema.Event) error {
		lost := false
		for i, in := range windows {
			if e.Time < in[0] || in[1] < e.Time {
				continue
			}
			if lost = true; said[i] {
				continue
			}
			said[i] = true
			if err := w.Loss(&schema.Loss{Cause: schema.LossRingBuffer, Count: 1, FirstNs: in[0], LastNs: in[1]}); err != nil {
				return err
			}
		}
		if lost {
			return nil
		}
		return w.Append(e)
	}, &schema.Footer{EndedBy: "command", Lost: uint64(len(windows))})
}

// What a thread does after it lost an event of an execve is still part of that, and no call of its own.
func TestLossInsideAnExec(t *testing.T) {
	const run = `access( walk(/bin/x walk)* access) execve( open(/bin/x lookup_rcu(x lookup_rcu)* open)* walk(/bin/x walk)*
		open(/lib/ld.so open)* execve) stat( walk(/etc/x walk)* stat)`
	whole := operationsOf(t, here().Header(), run)
	for _, lost := range []string{"execve(", "open(/bin/x", "lookup_rcu(x", "open)*", "open)* walk(/bin/x walk)*", "open(/lib/ld.so", "execve)", "access)"} {
		b := operationsOf(t, here().Header(), strings.Replace(run, lost, strings.ReplaceAll(lost, " ", "? ")+"?", 1))
		for _, r := range []*Result{compare(t, whole, b), compare(t, b, whole)} {
			if r.Verdict() != Undecided {
				t.Errorf("%s lost: %s\n%s", lost, r.summary(), text(t, r))
			}
		}
	}
}

// A name whose making was lost may be made up for the run, if it looks so and the other run used one like it. Any other
// name is a difference, also after a loss.
func TestLossOfTheMakingOfAName(t *testing.T) {
	script := func(name, used, lost string) []byte {
		words := strings.ReplaceAll("mkdir(@ walk_parent(/tmp/NAME@ walk_parent)*@ mkdir)@", "@", lost) +
			" access( walk(/x walk)* access) stat( walk(/tmp/USED walk)* stat) statfs( walk(/y walk)* statfs)"
		return operationsOf(t, here().Header(), strings.NewReplacer("NAME", name, "USED", used).Replace(words))
	}
	const one, two = "sedX4qVdY", "sedgVWh5R"
	a := script(one, one, "")
	for _, test := range []struct {
		name string
		b    []byte
		want Verdict
	}{
		{"nothing lost", script(two, two, ""), Same},
		{"the making lost", script(two, two, "?"), Undecided},
		{"another name", script(two, "other", "?"), Different},
	} {
		for _, r := range []*Result{compare(t, a, test.b), compare(t, test.b, a)} {
			if r.Verdict() != test.want {
				t.Errorf("%s: %s\n%s", test.name, r.summary(), text(t, r))
			}
		}
	}
}

// If the open of a directory was lost, so is the reason for which the order of its names is the filesystem's.
func TestLossOfTheOpenOfADirectory(t *testing.T) {
	const cached = "i onDisk usr/a\ni onDisk usr/b\ni onDisk usr/c\ni open usr/a\ni open usr/b\ni open usr/c\np open usr\np open usr/z\n"
	var runs [2][]byte
	var window [2]uint64 // of the open of usr
	for i, order := range []string{"p open usr/a\np open usr/b\np open usr/c", "p open usr/b\np open usr/c\np open usr/a"} {
		m := []tracetest.Machine{here(), there()}[i]
		h := m.Header()
		for _, p := range h.Probe { // an open after a loss may otherwise be part of an execve
			p.Attached = p.Attached && p.Role != schema.RoleExecve
		}
		window = [2]uint64{}
		runs[i] = rewritten(t, record(t, m, 1, scene(cached+order)), h, func(e *schema.Event) bool {
			if e.Comm == "p" && window[0] == 0 {
				window[0] = e.Time
			}
			if e.Comm == "p" && e.Role == schema.RoleOpen && e.Phase == schema.Exit && window[1] == 0 {
				window[1] = e.Time
			}
			return true
		})
		if i == 1 {
			runs[i] = withLoss(t, runs[i], h, [][2]uint64{window})
		}
	}
	if r := compare(t, runs[0], runs[1]); r.Verdict() != Undecided {
		t.Errorf("%s\n%s", r.summary(), text(t, r))
	}
}
