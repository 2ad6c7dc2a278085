// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
)

// spoken is a line of 'dtrec replay --format json', as far as it is looked at here.
type spoken struct {
	Type     string
	ID       uint64
	PID, TID uint32
	Comm     string
	Role     string
	Phase    string
	Call     uint64 // of an exit, its entry
	Name     string
	NameHex  string `json:"name_hex"` // its bytes where they are not UTF-8
	NameAddr string `json:"name_addr"`
	Len      uint64 `json:"name_len"`
	TimeNs   uint64 `json:"time_ns"`
	Errno    string
	Ret      any
	Dentry   *string
	Inode    *string
	Facts    []string
	Child    uint32
}

// reckoned is what this test makes of them, by itself.
type reckoned struct {
	calls, failed, rcu, ref, miss uint64
	made, left                    uint64
	births                        map[string]uint64
	errnos                        map[string]uint64
	failures                      map[string]uint64 // by errno and path
	missed                        map[string]uint64 // allocs for names asked for, by name
	programs                      map[string]uint64 // calls by program
	processes                     map[uint32]bool
	slowest                       []uint64          // ids, the slowest first
	around                        map[uint64]uint64 // of an event, the path call it is in
}

func replayed(t *testing.T, trace string) (events []spoken) {
	t.Helper()
	for _, line := range replayLines(t, trace) {
		var e spoken
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

// negatives follows every address through inserts without inode, and deletes that leave none.
func (r *reckoned) negatives(events []spoken) {
	type state struct{ call uint64 }
	empty := map[string]*state{}
	unlinking, removing, moving := map[uint32]bool{}, map[uint32]bool{}, map[uint32]bool{}
	begin := func(e *spoken, birth string) {
		if empty[*e.Dentry] == nil {
			empty[*e.Dentry] = &state{r.around[e.ID]}
			r.made++
			r.births[birth]++
		}
	}
	for _, e := range events {
		switch e.Role {
		case "unlink":
			unlinking[e.TID] = e.Phase == "enter"
		case "rmdir":
			removing[e.TID] = e.Phase == "enter"
		case "move":
			moving[e.TID] = e.Phase == "enter"
		}
		if e.Dentry == nil {
			continue
		}
		none := e.Inode == nil && !slices.Contains(e.Facts, "inode_unknown")
		s := empty[*e.Dentry]
		switch {
		case e.Role == "alloc" || e.Role == "kill" || e.Role == "free" || e.Role == "drop":
			delete(empty, *e.Dentry)
		case e.Inode != nil && s != nil:
			if delete(empty, *e.Dentry); r.around[e.ID] != 0 && r.around[e.ID] == s.call { // made by the same call: not counted
				r.made--
				r.births["lookup"]--
			}
		case e.Role == "insert" && none && !moving[e.TID]:
			begin(&e, "lookup")
		case e.Role == "delete" && e.Phase == "exit" && none && !slices.Contains(e.Facts, "unhashed"):
			birth := "delete"
			if unlinking[e.TID] {
				birth = "unlink"
			} else if removing[e.TID] {
				birth = "rmdir"
			}
			begin(&e, birth)
		}
	}
	r.left = uint64(len(empty))
}

// summary is what 'dtrec summary --format json' says, as far as it is looked at here.
type summary struct {
	Total    programRow
	Programs []programRow
	Errnos   []nameCount
	Slowest  []struct{ ID uint64 }
	Negative struct {
		Made, Left uint64
		Births     []nameCount
	} `json:"negatives"`
}

type programRow struct {
	Program                                           string
	Processes, Calls, Failed, RCU, Ref, Miss, Unknown uint64
	Unfinished                                        uint64
	Took                                              uint64 `json:"took_ns"`
	Slowest                                           *struct{ ID uint64 }
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

// What summary says of every trace in the tree is what the lines of replay add up to.
func TestSummaryIsWhatReplayAddsUpTo(t *testing.T) {
	for _, trace := range answered(t) {
		t.Run(filepath.Base(trace), func(t *testing.T) {
			var s summary
			if err := json.Unmarshal([]byte(output(t, "summary", "--format", "json", trace)), &s); err != nil {
				t.Fatal(err)
			}
			want := reckon(replayed(t, trace))
			same := func(what string, got, want uint64) {
				if got != want {
					t.Errorf("%s: summary says %d, the lines of replay %d", what, got, want)
				}
			}
			same("calls", s.Total.Calls-s.Total.Unfinished, want.calls)
			same("failed", s.Total.Failed, want.failed)
			same("rcu", s.Total.RCU, want.rcu)
			same("ref", s.Total.Ref, want.ref)
			same("miss", s.Total.Miss, want.miss)
			same("processes", s.Total.Processes, uint64(len(want.processes)))
			same("made", s.Negative.Made, want.made)
			same("left", s.Negative.Left, want.left)
			for errno, n := range want.errnos {
				same(errno, counts(s.Errnos)[errno], n)
			}
			for birth, n := range want.births {
				same("born by "+birth, counts(s.Negative.Births)[birth], n)
			}
			for _, p := range s.Programs {
				same("calls of "+p.Program, p.Calls-p.Unfinished, want.programs[p.Program])
			}
			for i, id := range want.slowest[:min(len(want.slowest), 10)] {
				same("slowest", s.Slowest[i].ID, id)
			}
		})
	}
}

// What top counts of every trace in the tree is what the lines of replay add up to.
func TestTopIsWhatReplayAddsUpTo(t *testing.T) {
	for _, trace := range answered(t) {
		t.Run(filepath.Base(trace), func(t *testing.T) {
			want := reckon(replayed(t, trace))
			byPath := map[string]uint64{}
			for key, n := range want.failures {
				_, path, _ := strings.Cut(key, " ")
				byPath[path] += n
			}
			for _, c := range []struct {
				of, by string
				want   map[string]uint64
			}{
				{"failures", "path", byPath}, {"failures", "errno", want.errnos}, {"misses", "name", want.missed}, {"calls", "program", want.programs},
			} {
				var top struct {
					Total, Error uint64
					Rows         []struct {
						Key    string
						Amount uint64
					}
				}
				if err := json.Unmarshal([]byte(output(t, "top", "--format", "json", "--of", c.of, "--by", c.by, "-n", "10000", trace)), &top); err != nil {
					t.Fatal(err)
				}
				got := map[string]uint64{}
				for _, r := range top.Rows {
					got[r.Key] = r.Amount
				}
				printed, total := map[string]uint64{}, uint64(0)
				for key, n := range c.want {
					printed[replay.Printable(key)] = n
					total += n
				}
				if !maps.Equal(got, printed) || top.Total != total || top.Error != 0 {
					t.Errorf("%s by %s: %d in all, %v; the lines of replay: %d, %v", c.of, c.by, top.Total, got, total, printed)
				}
			}
		})
	}
}

// answered are the traces of the tree that tell of calls.
func answered(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"traces/*.pb", "test/cases/*.pb"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: none (%v)", pattern, err)
		}
		all = append(all, files...)
	}
	return all
}
