// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"fmt"
	"path/filepath"
	"testing"
)

// rotationRun is the scene's report of a recording in several files, and of the one after it.
type rotationRun struct {
	First, Next []struct {
		Name  string
		Owner uint32
	}
}

// TestKernelRotation checks that the files of a rotating recording together hold what one file of the
// same run does, in the same order. They belong to the user who called sudo, although they are created
// and removed after the capabilities were given up.
func TestKernelRotation(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		var result rotationRun
		dir := sceneReport(t, release, "rotation", &result)
		checkRotation(t, dir, result)
	})
}

func checkRotation(t *testing.T, dir string, result rotationRun) {
	t.Helper()
	done := func(trace string) (events []string) {
		for _, e := range lifeEvents(t, trace) {
			if e.Type == "event" && e.Comm == "rotor" {
				events = append(events, fmt.Sprint(e.Role, e.Phase, e.Name, e.Dentry))
			}
		}
		return events
	}
	want, at := done(filepath.Join(dir, "one.pb")), 0
	if len(result.First) < 4 {
		t.Errorf("%d files", len(result.First))
	}
	for i, f := range result.First {
		trace := filepath.Join(dir, f.Name)
		if f.Name != fmt.Sprintf("run.%06d.pb", i+1) || f.Owner != 65534 {
			t.Errorf("file %d is %v", i+1, f)
		}
		checkNothingLost(t, verdicts(t, trace), trace)
		for _, e := range done(trace) {
			if at >= len(want) || want[at] != e {
				t.Fatalf("%s: event %d of the task is %s", f.Name, at+1, e)
			}
			at++
		}
	}
	if at != len(want) {
		t.Errorf("%d events in the files, %d in one", at, len(want))
	}
	if n := len(result.First); len(result.Next) != 2 || result.Next[1].Name <= result.First[n-1].Name || result.Next[1].Owner != 65534 {
		t.Errorf("of the next recording are left %v", result.Next)
	}
	t.Logf("%d events of the task in %d files", at, len(result.First))
}
