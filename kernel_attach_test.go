// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Both ways of attaching tell the same story: the same verdicts, nothing lost, and in
// every program the same events in the same order.
func TestKernelAttach(t *testing.T) {
	binary := dtrecBinary(t)
	for release, kernel := range kernels(t) {
		t.Run(release, func(t *testing.T) {
			stories := make(map[string]map[string][]string)
			for _, how := range []string{"fentry", "kprobe"} {
				trace := filepath.Join(t.TempDir(), how+".pb")
				_, stderr, code := inGuest(t, binary, kernel, "record", "--workload", "all", "--attach", how, "-o", trace)
				if code != 0 {
					t.Fatalf("%s: exit %d\n%s", how, code, stderr)
				}
				v := verdicts(t, trace)
				if v.Lost != 0 || !v.Complete {
					t.Errorf("%s: lost %d, complete %v", how, v.Lost, v.Complete)
				}
				compareVerdicts(t, v)
				events := jsonLines(t, trace)
				checkAttached(t, how, events[0])
				stories[how] = storyByProgram(events)
			}
			compareStories(t, stories["fentry"], stories["kprobe"])
		})
	}
}

// checkAttached holds the probes of a header against --attach: functions in the way
// forced, everything attached.
func checkAttached(t *testing.T, how string, header map[string]any) {
	t.Helper()
	ways := map[string][]string{
		"fentry": {"fentry", "fexit", "tp_btf"},
		"kprobe": {"kprobe", "kretprobe", "kprobe_multi", "kretprobe_multi", "tp_btf"},
	}[how]
	attached, used := make(map[string]bool), make(map[string]int)
	for _, p := range header["probes"].([]any) {
		probe := p.(map[string]any)
		way, key := probe["attach"].(string), fmt.Sprint(probe["role"], " ", probe["phase"])
		if !slices.Contains(ways, way) {
			t.Errorf("--attach %s tried %s", how, way)
		}
		attached[key] = attached[key] || probe["attached"].(bool)
		if probe["attached"].(bool) {
			used[way]++
		} else if probe["error"] == "" {
			t.Errorf("%s of %v is not attached, without a reason", way, probe["symbol"])
		}
	}
	for key, ok := range attached {
		if !ok {
			t.Errorf("--attach %s: no probe for %s", how, key)
		}
	}
	t.Logf("--attach %s: %v", how, used)
}

// storyByProgram lists the events of each task name in order, without what differs
// from run to run: times stand in the names of files, and which thread of a program
// ends last, under its name or still under dtrec's, is chance.
func storyByProgram(events []map[string]any) map[string][]string {
	seconds := regexp.MustCompile(`\d{9,}`)
	story, program := make(map[string][]string), make(map[any]string)
	for _, e := range events {
		if e["type"] != "event" {
			continue
		}
		dentry := "NULL"
		if e["dentry"] != nil {
			dentry = "dentry"
		}
		comm := e["comm"].(string)
		if e["role"] == "exit" {
			comm = program[e["pid"]]
		}
		program[e["pid"]] = comm
		line := fmt.Sprintf("%v %v %s %v", e["role"], e["phase"], dentry, e["name"])
		story[comm] = append(story[comm], seconds.ReplaceAllString(line, "TIME"))
	}
	return story
}

func compareStories(t *testing.T, fentry, kprobe map[string][]string) {
	t.Helper()
	for workload := range workloadVerdicts {
		if len(fentry[workload]) == 0 {
			t.Errorf("%s: no events", workload)
		}
	}
	for comm, want := range fentry {
		got := kprobe[comm]
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Errorf("%s, event %d of %d and %d:\nfentry %s\nkprobe %s", comm, i+1, len(want), len(got),
					strings.Join(want[i:min(i+3, len(want))], ", "), strings.Join(got[min(i, len(got)):min(i+3, len(got))], ", "))
				break
			}
		}
	}
	for comm := range kprobe {
		if fentry[comm] == nil {
			t.Errorf("%s: recorded by kprobe only", comm)
		}
	}
}

// Doctor says of every kernel that everything can be recorded, in both ways.
func TestKernelDoctor(t *testing.T) {
	binary := dtrecBinary(t)
	for release, kernel := range kernels(t) {
		t.Run(release, func(t *testing.T) {
			for _, how := range []string{"fentry", "kprobe"} {
				stdout, stderr, code := inGuest(t, binary, kernel, "doctor", "--attach", how, "--format", "json")
				var d diagnosis
				if err := json.Unmarshal([]byte(stdout), &d); err != nil {
					t.Fatalf("%v\n%s%s", err, stdout, stderr)
				}
				if code != 0 || d.Exit != 0 || !d.Tried || d.Kernel != release {
					t.Errorf("--attach %s: exit %d, %+v", how, code, d)
				}
				for _, p := range d.Probes {
					if p.State != stateOK || p.Symbol == "" || p.Attach == "" {
						t.Errorf("--attach %s: %+v", how, p)
					}
				}
			}
		})
	}
}
