// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/report"
)

// death is the scene's report of the end of one dentry.
type death struct {
	Name, Path     string
	Opener, Killer int
	Again          bool
}

// TestKernelLifetime checks that a dentry which a target has opened is followed to its end, whichever
// process ends it, and that what comes after it, at the same address or at another, is another dentry.
func TestKernelLifetime(t *testing.T) {
	onOuterKernels(t, func(t *testing.T, release string) {
		var result struct {
			Deaths []death
			Said   string
		}
		dir := sceneReport(t, release, "lifetime", &result)
		trace := filepath.Join(dir, "lifetime.pb")
		t.Log(strings.TrimSpace(result.Said))
		v := verdicts(t, trace)
		checkNothingLost(t, v, trace)
		if v.Refuted != 0 {
			t.Errorf("%d refuted", v.Refuted)
		}
		for _, d := range v.Doubts {
			t.Logf("%s %s of %q, %d times: %s", d.Verdict, d.Kind, d.Subjects, d.Count, d.Reason)
		}
		events := lifeEvents(t, trace)
		reused := 0
		for _, d := range result.Deaths {
			if followDeath(t, d, events) {
				reused++
			}
		}
		t.Logf("%d events; the address of %d dentries of %d was handed out again", v.Events, reused, len(result.Deaths))
		if reused == 0 {
			t.Error("no address came back: nothing is shown about that")
		}
		// Three times the cache evicted a name that still existed, and the target itself allocated the
		// next dentry. What a deletion or a rename ended is not an eviction.
		if got := claimsOf(v, "target")["eviction"]; got["proven"] != 3 || len(got) != 1 {
			t.Errorf("eviction: %v", got)
		}
		checkChurn(t, filepath.Join(dir, "churn.pb"))
		checkOverflow(t, filepath.Join(dir, "overflow.pb"))
	})
}

func claimsOf(v report.Verdicts, program string) map[string]map[string]uint64 {
	for _, p := range v.Programs {
		if p.Program == program {
			return p.Claims
		}
	}
	return nil
}

// checkChurn checks that 20,000 dentries one after the other fit into a watch set of 64, since each
// leaves it when it is freed.
func checkChurn(t *testing.T, trace string) {
	t.Helper()
	v := verdicts(t, trace)
	if got := claimsOf(v, "reuser"); v.Lost != 0 || !v.Complete || got["equality"]["proven"] != 20_000 || len(got["equality"]) != 1 {
		t.Errorf("churn: lost %d, complete %v, claims %v", v.Lost, v.Complete, got)
	}
}

// checkOverflow checks that claims about names seen before the watch set was full stay proven and those
// about later names do not, while claims that need one event only are proven for all.
func checkOverflow(t *testing.T, trace string) {
	t.Helper()
	v := verdicts(t, trace)
	if v.Lost == 0 || v.Refuted > 0 || !v.Complete {
		t.Errorf("overflow: lost %d, refuted %d, complete %v", v.Lost, v.Refuted, v.Complete)
	}
	got := claimsOf(v, "reuser")
	negative := got["negative"]
	if negative["proven"] < 40 || negative["unproven"] < 200 || negative["proven"]+negative["unproven"] != 340 {
		t.Errorf("overflow: negative %v", negative)
	}
	for _, kind := range []string{"hash", "prefix", "storage", "bucket", "absence"} {
		if got[kind]["proven"] == 0 || len(got[kind]) != 1 {
			t.Errorf("overflow: %s %v", kind, got[kind])
		}
	}
	for _, d := range v.Doubts {
		if strings.Contains(strings.Join(d.Subjects, " "), "/early") || !strings.Contains(d.Reason, "watch set") {
			t.Errorf("overflow: %s %s of %q: %s", d.Verdict, d.Kind, d.Subjects, d.Reason)
		}
	}
	unwatched := uint64(0)
	for _, e := range lifeEvents(t, trace) {
		if slices.Contains(e.Facts, "unwatched") {
			unwatched++
		}
	}
	if unwatched != v.Lost {
		t.Errorf("overflow: %d events are marked, %d counted", unwatched, v.Lost)
	}
}

// followDeath compares the recorded life of one dentry with what was done to it, and reports whether
// its address belonged to another dentry later.
func followDeath(t *testing.T, d death, events []lifeEvent) (reused bool) {
	t.Helper()
	var seen, kill *lifeEvent
	again := ""
	others := make(map[string]bool)
	for i := range events {
		e := &events[i]
		switch {
		case e.Type != "event":
		case seen == nil:
			if e.Role == "open" && e.Phase == "exit" && e.PID == d.Opener && e.Name == filepath.Base(d.Path) {
				seen = e
			}
		case kill == nil:
			if e.Role == "kill" && e.Object == seen.Object {
				kill = e
			}
		case e.Dentry == seen.Dentry && e.Object != seen.Object:
			others[e.Object] = true
		case e.Object == seen.Object && e.Role != "free":
			t.Errorf("%s: #%d, a %s, is of the dentry that was killed at #%d", d.Name, e.ID, e.Role, kill.ID)
		}
		if kill != nil && again == "" && e.PID == d.Opener && e.Name == filepath.Base(d.Path) && e.Object != "" && e.Object != seen.Object {
			again = e.Object
		}
	}
	switch {
	case seen == nil:
		t.Errorf("%s: the open is not recorded", d.Name)
		return false
	case kill == nil:
		t.Errorf("%s: %s %s was seen at #%d, and no kill of it", d.Name, seen.Object, seen.Dentry, seen.ID)
		return false
	case kill.PID != d.Killer:
		t.Errorf("%s: %s was killed by process %d (%s), want %d", d.Name, seen.Object, kill.PID, kill.Comm, d.Killer)
	case d.Again && again == "":
		t.Errorf("%s: the second open came to no dentry", d.Name)
	}
	t.Logf("%s: %s %s killed at #%d by %s, then %s; its address came back as %d others", d.Name, seen.Object, seen.Dentry, kill.ID, kill.Comm, again, len(others))
	return len(others) > 0
}
