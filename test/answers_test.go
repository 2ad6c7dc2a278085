// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// replayEvent is a line of 'dtrec replay --format json', with the fields that these tests use.
type replayEvent struct {
	Type     string
	ID       uint64
	PID, TID uint32
	Comm     string
	Role     string
	Phase    string
	Call     uint64 // of an exit: the id of its entry
	Parent   string
	Name     string
	NameHex  string `json:"name_hex"` // its bytes if they are not UTF-8
	NameAddr string `json:"name_addr"`
	Len      uint64 `json:"name_len"`
	TimeNs   uint64 `json:"time_ns"`
	Errno    string
	Ret      any
	Dentry   *string
	Inode    *string
	Facts    []string
	Child    uint32
	Status   uint64 `json:"wait_status"`
	How      uint32 // LOOKUP_* flags of a walk
	Start    string // address of the dentry where a walk began
}

// computedSummary holds what this test computes from the lines of replay, independently of package answers.
type computedSummary struct {
	total      programRow
	failed     uint64
	made, left uint64
	births     map[string]uint64
	errnos     map[string]uint64
	failures   map[string]uint64 // by "ERRNO PATH"
	missed     map[string]uint64 // allocs for names that walks asked for, by name
	paths      map[string]uint64 // calls by path
	programs   map[string]*programRow
	processes  map[uint32]*process
	slowest    []uint64          // ids of calls, the slowest first
	around     map[uint64]uint64 // by event: the path call around it
	findings   findingCounts
}

// process is what this test computes about a process.
type process struct {
	parent          uint32
	programs, execs []string
	calls, failed   uint64
	exited          uint64
	led             bool // its first thread has had an event
	does            bool // it did more than to take dentries from the cache
}

func replayed(t *testing.T, trace string) (events []replayEvent) {
	t.Helper()
	for _, line := range replayLines(t, trace) {
		var e replayEvent
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if raw, err := hex.DecodeString(e.NameHex); err == nil && len(raw) > 0 {
			e.Name = string(raw)
		}
		if e.Type == "event" {
			events = append(events, e)
		}
	}
	return events
}

// summary is the output of 'dtrec summary --format json', with the fields that these tests use.
type summary struct {
	Total    programRow
	Programs []programRow
	Errnos   []nameCount
	Slowest  []struct{ ID uint64 }
	Negative struct {
		Made, Left uint64
		Births     []nameCount
	} `json:"negatives"`
	Doubts   []string `json:"negatives_doubts"`
	Findings []struct{ Rule, What string }
}

type programRow struct {
	Program                                           string
	Processes, Calls, Failed, RCU, Ref, Miss, Unknown uint64
	Unfinished, Restarted                             uint64
	Took                                              uint64 `json:"took_ns"`
	Slowest                                           *struct{ ID uint64 }
	Operations                                        []nameCount

	operations map[string]uint64
}

type nameCount struct {
	Name  string
	Count uint64
}

func counts(of []nameCount) map[string]uint64 {
	m := map[string]uint64{}
	for _, c := range of {
		m[c.Name] = c.Count
	}
	return m
}

// TestSummaryIsWhatReplayAddsUpTo checks the output of summary and info for every trace in the tree
// against what the lines of replay add up to.
func TestSummaryIsWhatReplayAddsUpTo(t *testing.T) {
	for _, trace := range tracesWithCalls(t) {
		t.Run(filepath.Base(trace), func(t *testing.T) { checkSummary(t, trace) })
	}
}

// checkSummary compares the summary of a trace, and its list of processes, with the lines of replay.
func checkSummary(t *testing.T, trace string) {
	t.Helper()
	var s summary
	if err := json.Unmarshal([]byte(output(t, "summary", "--format", "json", trace)), &s); err != nil {
		t.Fatal(err)
	}
	want := computeSummary(replayed(t, trace))
	same := func(what string, got, want uint64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, the lines of replay say %d", what, got, want)
		}
	}
	same("processes", s.Total.Processes, want.processesThat(func(p *process) bool { return p.does }))
	if s.Negative.Births == nil { // the summary says that they are not known
		want.made, want.left, want.births = 0, 0, map[string]uint64{}
	}
	same("made", s.Negative.Made, want.made)
	same("left", s.Negative.Left, want.left)
	for what, pair := range map[string][2]map[string]uint64{
		"errnos": {counts(s.Errnos), want.errnos}, "births": {counts(s.Negative.Births), want.births},
	} {
		if !maps.Equal(pair[0], pair[1]) {
			t.Errorf("%s: %v, the lines of replay say %v", what, pair[0], pair[1])
		}
	}
	s.Total.compare(t, &want.total)
	for i := range s.Programs {
		if p := &s.Programs[i]; p.Calls > 0 {
			p.compare(t, want.programs[p.Program])
			same("processes called "+p.Program, p.Processes, want.processesThat(func(x *process) bool { return x.does && slices.Contains(x.programs, p.Program) }))
		}
	}
	for i, id := range want.slowest[:min(len(want.slowest), 10)] {
		same("slowest", s.Slowest[i].ID, id)
	}
	s.compareFindings(t, want.sentences())
	want.compareProcesses(t, trace)
}

// compare compares a program's row with what was counted.
func (p *programRow) compare(t *testing.T, want *programRow) {
	t.Helper()
	if want == nil {
		t.Errorf("no line of replay is of %s", p.Program)
		return
	}
	got := [...]uint64{p.Calls - p.Unfinished, p.Failed, p.RCU, p.Ref, p.Miss, p.Restarted, p.Took}
	if expected := [...]uint64{want.Calls, want.Failed, want.RCU, want.Ref, want.Miss, want.Restarted, want.Took}; got != expected {
		t.Errorf("%s: calls, failed, rcu, ref, miss, restarted, ns %v, the lines of replay say %v", p.Program, got, expected)
	}
	if p.Unfinished == 0 && !maps.Equal(counts(p.Operations), want.operations) {
		t.Errorf("%s: %v, the lines of replay say %v", p.Program, p.Operations, want.operations)
	}
}

// processesThat counts processes.
func (r *computedSummary) processesThat(is func(*process) bool) (n uint64) {
	for _, p := range r.processes {
		if is(p) {
			n++
		}
	}
	return n
}

// compareFindings compares the findings with the sentences made here. A sentence made here may be only the
// beginning of the finding.
func (s *summary) compareFindings(t *testing.T, want map[string][]string) {
	t.Helper()
	got := make(map[string][]string)
	for _, f := range s.Findings {
		got[f.Rule] = append(got[f.Rule], f.What)
	}
	if !maps.EqualFunc(got, want, func(a, b []string) bool { return slices.EqualFunc(a, b, strings.HasPrefix) }) {
		t.Errorf("what stands out:\n%q\nand by the lines of replay\n%q", got, want)
	}
}

// compareProcesses compares the processes that info lists with those of replay.
func (r *computedSummary) compareProcesses(t *testing.T, trace string) {
	t.Helper()
	listed := listedProcesses(t, trace)
	if len(listed) != len(r.processes) {
		t.Errorf("%d processes are listed, the lines of replay have %d", len(listed), len(r.processes))
	}
	for _, p := range listed {
		got := process{parent: p.Parent, programs: p.Programs, calls: p.Calls, failed: p.Failed, exited: p.Exited}
		for _, x := range p.Execs {
			got.execs = append(got.execs, x.Path)
		}
		want := r.processes[p.PID]
		if want == nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want.printed()) {
			t.Errorf("process %d: %+v, the lines of replay say %+v", p.PID, got, want)
		}
	}
}

// listedProcess is a process in the output of 'dtrec info --tasks --format json'.
type listedProcess struct {
	PID, Parent           uint32
	Programs              []string
	Execs                 []struct{ Path string }
	Exited, Calls, Failed uint64
	Ended, Cgroup         string
}

func listedProcesses(t *testing.T, trace string) []listedProcess {
	t.Helper()
	var info struct{ Processes []listedProcess }
	if err := json.Unmarshal([]byte(output(t, "info", "--tasks", "--format", "json", trace)), &info); err != nil {
		t.Fatal(err)
	}
	return info.Processes
}

func (p *process) printed() process {
	q := *p
	q.programs, q.execs, q.led, q.does = nil, nil, false, false
	for _, name := range p.programs {
		q.programs = append(q.programs, replay.Printable(name))
	}
	for _, path := range p.execs {
		q.execs = append(q.execs, replay.Printable(path))
	}
	return q
}

// TestTopIsWhatReplayAddsUpTo checks the output of top for every trace in the tree against what the
// lines of replay add up to.
func TestTopIsWhatReplayAddsUpTo(t *testing.T) {
	for _, trace := range tracesWithCalls(t) {
		t.Run(filepath.Base(trace), func(t *testing.T) {
			want := computeSummary(replayed(t, trace))
			byPath := map[string]uint64{}
			for key, n := range want.failures {
				_, path, _ := strings.Cut(key, " ")
				byPath[path] += n
			}
			for _, c := range []struct {
				of, by string
				want   map[string]uint64
			}{
				{"failures", "path", byPath}, {"failures", "errno", want.errnos}, {"misses", "name", want.missed}, {"calls", "program", want.callsBy()},
				{"calls", "path", want.paths}, {"calls", "op", want.total.operations}, {"misses", "path", want.findings.made.counts()},
				{"misses", "dir", want.findings.madeIn.counts()},
			} {
				var top struct {
					Total, Error uint64
					Rows         []struct {
						Key    string
						Amount uint64
						Errnos []nameCount
					}
				}
				if err := json.Unmarshal([]byte(output(t, "top", "--format", "json", "--of", c.of, "--by", c.by, "-n", "10000", trace)), &top); err != nil {
					t.Fatal(err)
				}
				got := map[string]uint64{}
				for _, r := range top.Rows {
					got[r.Key] = r.Amount
					for _, x := range r.Errnos {
						if n := want.failures[x.Name+" "+replay.Unescape(r.Key)]; x.Count != n {
							t.Errorf("%s is %s %d times, by the lines of replay %d", r.Key, x.Name, x.Count, n)
						}
					}
				}
				printed, total := map[string]uint64{}, uint64(0)
				for key, n := range c.want {
					if strings.HasPrefix(key, "…") {
						printed[replay.PrintablePath(key)] = n
					} else {
						printed[replay.Printable(key)] = n
					}
					total += n
				}
				if !maps.Equal(got, printed) || top.Total != total || top.Error != 0 {
					t.Errorf("%s by %s: %d in all, %v; the lines of replay: %d, %v", c.of, c.by, top.Total, got, total, printed)
				}
			}
		})
	}
}

func (r *computedSummary) callsBy() map[string]uint64 {
	out := map[string]uint64{}
	for name, p := range r.programs {
		out[name] = p.Calls
	}
	return out
}

// tracesWithCalls returns the traces in the tree that contain calls.
func tracesWithCalls(t *testing.T) []string {
	t.Helper()
	return tracetest.FileNames(t, "traces/*.pb", "test/git.pb", "test/cases/*.pb")
}
