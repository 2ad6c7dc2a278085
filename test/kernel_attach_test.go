// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/doctor"
)

// TestKernelAttach checks that both ways of attaching record the same: nothing lost, in every program
// the same events in the same order, and the same verdicts.
func TestKernelAttach(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		stories := make(map[string]map[string][]string)
		for _, how := range []string{"fentry", "kprobe"} {
			trace := recorded(t, release, how).trace
			v := verdicts(t, trace)
			checkNothingLost(t, v, trace)
			compareVerdicts(t, v)
			events := jsonLines(t, trace)
			checkAttached(t, how, events[0], release)
			stories[how] = storyByProgram(slices.DeleteFunc(events, func(e map[string]any) bool {
				return slices.ContainsFunc(kprobesAlone(release), func(role string) bool { return e["role"] == role })
			}))
		}
		compareStories(t, stories["fentry"], stories["kprobe"])
	})
}

// kprobesAlone returns the roles that fentry cannot attach to on a kernel. Before 6.12 fentry takes no
// function with seven arguments, which __filename_parentat has from 5.15 on; and 6.1's BTF has two
// functions called __x64_sys_execveat.
func kprobesAlone(release string) []string {
	if strings.HasPrefix(release, "6.1.") {
		return []string{"walk_parent", "execveat"}
	}
	return nil
}

// checkAttached checks the probes in a header: everything is attached, and to functions only in the way
// that --attach forces.
func checkAttached(t *testing.T, how string, header map[string]any, release string) {
	t.Helper()
	ways := map[string][]string{
		"fentry": {"fentry", "fexit", "tp_btf"},
		"kprobe": {"kprobe", "kretprobe", "kprobe_multi", "kretprobe_multi", "tp_btf"},
	}[how]
	attached, used := make(map[string]bool), make(map[string]int)
	for _, p := range header["probe"].([]any) {
		probe := p.(map[string]any)
		way, key := probe["attach"].(string), fmt.Sprint(probe["role"], " ", probe["phase"])
		if !slices.Contains(ways, way) {
			t.Errorf("--attach %s tried %s", how, way)
		}
		attached[key] = attached[key] || probe["attached"].(bool)
		if probe["uncounted"] == true {
			t.Errorf("--attach %s: what %s of %v misses is not counted", how, way, probe["symbol"])
		}
		if probe["attached"].(bool) {
			used[way]++
		} else if probe["error"] == "" {
			t.Errorf("%s of %v is not attached, without a reason", way, probe["symbol"])
		}
	}
	for key, ok := range attached {
		if role, _, _ := strings.Cut(key, " "); ok == (how == "fentry" && slices.Contains(kprobesAlone(release), role)) {
			t.Errorf("--attach %s: probe for %s: %v", how, key, ok)
		}
	}
	t.Logf("--attach %s: %v", how, used)
}

// storyByProgram lists the events of each task name in order, without what differs between runs: file
// names contain times, a file without a name is called by its inode, and it is chance which thread of a
// program ends last, and whether it still has dtrec's name.
func storyByProgram(events []map[string]any) map[string][]string {
	chance := regexp.MustCompile(`\d{9,}|#\d+$`)
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
		line := chance.ReplaceAllString(fmt.Sprintf("%v %v %s %v", e["role"], e["phase"], dentry, e["name"]), "N")
		if e["role"] == "kill" || e["role"] == "free" {
			comm += ends
		}
		story[comm] = append(story[comm], line)
	}
	for comm := range story {
		if strings.HasSuffix(comm, ends) {
			slices.Sort(story[comm])
		}
	}
	return story
}

// ends marks the ends of dentries, which are kept separately and sorted: the kernel chooses in which of
// two passes drop_caches frees a dentry.
const ends = ", ends"

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

// TestKernelDoctor checks that doctor says of every kernel that everything can be recorded, in both
// ways, except for the known gaps.
func TestKernelDoctor(t *testing.T) {
	onOuterKernels(t, func(t *testing.T, release string) {
		for _, how := range []string{"fentry", "kprobe"} {
			o := waitForErrand(t, release, "doctor-"+how)
			var d doctor.Diagnosis
			if err := json.Unmarshal([]byte(o.Stdout), &d); err != nil {
				t.Fatalf("%v\n%s%s", err, o.Stdout, o.Stderr)
			}
			want := 0
			for _, p := range d.Probes {
				if how == "fentry" && slices.Contains(kprobesAlone(release), p.Role) {
					if want = doctor.Gaps; p.State == doctor.OK {
						t.Errorf("--attach %s: %+v", how, p)
					}
				} else if p.State != doctor.OK || p.Symbol == "" || p.Attach == "" {
					t.Errorf("--attach %s: %+v", how, p)
				}
			}
			if o.Code != want || d.Exit != want || !d.Tried || d.Kernel != release || how == "fentry" && want != 0 && kprobesAlone(release) == nil {
				t.Errorf("--attach %s: exit %d, want %d, %+v", how, o.Code, want, d)
			}
		}
	})
}
