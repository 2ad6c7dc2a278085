// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// scene is a recording being made: a simulated kernel, and what is done to its events on the way to the
// file.
type scene struct {
	*tracetest.Kernel
	t      *testing.T
	w      *schema.Writer
	header *schema.Header
	tamper func(*schema.Event) bool // false: the event is left out
}

// record plays a scene and returns the findings of its trace.
func record(t *testing.T, play func(*scene)) *Findings {
	t.Helper()
	var buf bytes.Buffer
	s := &scene{t: t, header: tracetest.Header()}
	s.Kernel = tracetest.NewKernel(1, func(e *schema.Event) {
		if s.w == nil {
			var err error
			if s.w, err = schema.NewWriter(&buf, s.header); err != nil {
				t.Fatal(err)
			}
		}
		if s.tamper == nil || s.tamper(e) {
			if err := s.w.Append(e); err != nil {
				t.Fatal(err)
			}
		}
	})
	s.Task(100, "prog")
	play(s)
	if err := s.w.Close(&schema.Footer{}); err != nil {
		t.Fatal(err)
	}
	return collect(t, buf.Bytes())
}

func (s *scene) lose(role schema.Role, first, last uint64) {
	if err := s.w.Loss(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Role: role, Count: 1, FirstNs: first, LastNs: last}); err != nil {
		s.t.Fatal(err)
	}
}

// without removes a role from the recording: its probe and its events.
func (s *scene) without(role schema.Role) {
	for _, p := range s.header.Probe {
		if p.Role == role {
			p.Attached = false
		}
	}
	s.tamper = func(e *schema.Event) bool { return e.Role != role }
}

// change alters the nth event of a role and phase, counted from 1.
func (s *scene) change(role schema.Role, phase schema.Phase, nth int, alter func(*schema.Event)) {
	s.tamper = func(e *schema.Event) bool {
		if e.Role == role && e.Phase == phase {
			if nth--; nth == 0 {
				alter(e)
			}
		}
		return true
	}
}

// tally returns the verdicts of one kind as "proven/refuted/unproven".
func (f *Findings) tally(k Kind) string {
	t := f.Tally[k]
	return fmt.Sprintf("%d/%d/%d", t[Proven], t[Refuted], t[Unproven])
}

// none is the tally of a kind without claims.
const none = "0/0/0"

// verdictCases are recordings, each with the verdicts of some kinds of claim.
var verdictCases = []struct {
	name   string
	play   func(*scene)
	want   map[Kind]string
	reason string // of the first claim that is not proven
}{
	{"a miss", func(s *scene) { s.Open(true, "tmp", "f") },
		map[Kind]string{Key: "1/0/0", Prefix: "2/0/0", Equality: "1/0/0", Storage: "2/0/0", Hash: "8/0/0", Bucket: "2/0/0",
			Negative: none, Absence: none, Eviction: none, Delete: none}, ""},
	{"a hit", func(s *scene) { s.Open(true, "tmp", "f"); s.Open(true, "tmp", "f") },
		map[Kind]string{Equality: "2/0/0", Absence: "1/0/0", Key: "2/0/0"}, ""},
	{"a missing file, twice", func(s *scene) { s.Open(false, "tmp", "f"); s.Open(false, "tmp", "f") },
		map[Kind]string{Negative: "2/0/0", Absence: "3/0/0", Equality: none}, ""},
	{"evicted, at the same address again", func(s *scene) { s.Open(true, "f"); s.DropCaches(); s.Open(true, "f") },
		map[Kind]string{Eviction: "1/0/0", Equality: "2/0/0"}, ""},
	{"evicted, at another address", func(s *scene) { s.Open(true, "f"); s.DropCaches(); s.Forget(); s.Open(true, "f") },
		map[Kind]string{Eviction: "1/0/0"}, ""},
	{"deleted and killed", func(s *scene) { s.Open(true, "f"); s.Unlink("f"); s.DropCaches() },
		map[Kind]string{Delete: "1/0/0"}, ""},
	{"deleted, alive at the end", func(s *scene) { s.Open(true, "f"); s.Unlink("f") },
		map[Kind]string{Delete: "1/0/0"}, ""},
	{"a long name lies outside", func(s *scene) { s.Open(true, strings.Repeat("x", 40)) },
		map[Kind]string{Storage: "1/0/0"}, ""},

	{"the hash is wrong", func(s *scene) {
		s.change(schema.RoleLookupRCU, schema.Enter, 1, func(e *schema.Event) { e.Hash++ })
		s.Open(true, "f")
	}, map[Kind]string{Hash: "3/1/0"}, "recomputed"},
	{"the filesystem hashes itself", func(s *scene) {
		s.change(schema.RoleLookupRCU, schema.Enter, 1, func(e *schema.Event) { e.Hash++; e.Facts |= schema.FactParentOpHash })
		s.Open(true, "f")
	}, map[Kind]string{Hash: "3/0/1"}, "own hash"},
	{"the name hash is unknown", func(s *scene) { s.header.Layout.NameHash = 0; s.Open(true, "f") },
		map[Kind]string{Hash: "0/0/4"}, "not known"},
	{"a name could not be read", func(s *scene) {
		s.change(schema.RoleLookupRCU, schema.Enter, 1, func(e *schema.Event) { e.Name = ""; e.Facts |= schema.FactNameUnreadable })
		s.Open(true, "f")
	}, map[Kind]string{Hash: "3/0/1"}, "could not be read whole"},
	{"the bucket is another", func(s *scene) {
		s.change(schema.RoleInsert, schema.Exit, 1, func(e *schema.Event) { e.Bucket += 8 })
		s.Open(true, "f")
	}, map[Kind]string{Bucket: "0/1/0"}, "not the one"},
	{"the hash table is unknown", func(s *scene) { s.header.Layout.DentryHashtable = 0; s.Open(true, "f") },
		map[Kind]string{Bucket: "0/0/1"}, "not known"},
	{"a short name outside", func(s *scene) {
		s.change(schema.RoleAlloc, schema.Exit, 1, func(e *schema.Event) { e.NameAddr += 4096 })
		s.Open(true, "f")
	}, map[Kind]string{Storage: "0/1/0"}, "does not agree"},
	{"the inline size is unknown", func(s *scene) { s.header.Layout.InlineNameSize = 0; s.Open(true, "f") },
		map[Kind]string{Storage: "0/0/1"}, "not known"},
	{"a parent is another", func(s *scene) {
		s.change(schema.RoleLookupRCU, schema.Enter, 2, func(e *schema.Event) { e.Parent += 192 })
		s.Open(true, "tmp", "f")
	}, map[Kind]string{Key: "0/0/1"}, "under two dentries"},
	{"the pointer is at another component", func(s *scene) {
		s.change(schema.RoleAlloc, schema.Enter, 2, func(e *schema.Event) { e.NameAddr-- })
		s.Open(true, "tmp", "f")
	}, map[Kind]string{Prefix: "1/1/0"}, "without a lookup of it"},
	{"a symbolic link", func(s *scene) {
		s.change(schema.RoleLookupRCU, schema.Enter, 2, func(e *schema.Event) { e.NameAddr += 1 << 20 })
		s.Open(true, "tmp", "f")
	}, map[Kind]string{Key: "1/0/0"}, ""},
	{"killed before it was returned", func(s *scene) {
		s.tamper = func(e *schema.Event) bool {
			if e.Role == schema.RoleOpen && e.Phase == schema.Exit {
				kill := *e
				kill.Role, kill.Phase, kill.Columns, kill.TID = schema.RoleKill, schema.Enter, schema.Columns(0).With(schema.ColumnDentry), 9
				s.w.Append(&kill)
			}
			return true
		}
		s.Open(true, "f")
	}, map[Kind]string{Equality: "0/1/0"}, "was killed at"},
	{"a negative dentry killed inside the open", func(s *scene) {
		s.tamper = func(e *schema.Event) bool {
			ok := s.w.Append(e) == nil
			if e.Role == schema.RoleInsert && ok {
				kill := *e
				kill.Role, kill.Phase, kill.Columns = schema.RoleKill, schema.Enter, schema.Columns(0).With(schema.ColumnDentry)
				s.w.Append(&kill)
			}
			return false
		}
		s.Open(false, "f")
	}, map[Kind]string{Negative: "1/0/0"}, ""},
	{"the negative dentry is older than the recording", func(s *scene) {
		s.tamper = func(e *schema.Event) bool { return e.Time > 1e12 }
		s.Open(false, "f")
		s.tamper = nil
		s.Open(false, "f")
	}, map[Kind]string{Negative: "1/0/0"}, ""},
	{"an address handed out twice", func(s *scene) {
		s.Open(true, "f")
		s.tamper = func(e *schema.Event) bool { return e.Role != schema.RoleKill && e.Role != schema.RoleFree }
		s.DropCaches()
		s.Open(true, "g")
		s.tamper = nil
		s.Open(true, "f")
	}, map[Kind]string{Eviction: none}, ""},

	{"without kill", func(s *scene) { s.without(schema.RoleKill); s.Open(true, "f") },
		map[Kind]string{Equality: "0/0/1", Prefix: "1/0/0", Hash: "4/0/0"}, "probe not attached: kill"},
	{"without insert", func(s *scene) { s.without(schema.RoleInsert); s.Open(true, "f") },
		map[Kind]string{Equality: "0/0/1", Bucket: none}, "probe not attached: insert"},
	{"without alloc", func(s *scene) { s.without(schema.RoleAlloc); s.Open(true, "f"); s.Open(true, "f") },
		map[Kind]string{Absence: "0/0/2", Equality: "0/0/2", Prefix: "0/0/2"}, "probe not attached: alloc"},

	{"misses of kill are not counted", func(s *scene) {
		for _, p := range s.header.Probe {
			p.Uncounted = p.Role == schema.RoleKill
		}
		s.Open(true, "f")
	}, map[Kind]string{Equality: "0/0/1", Prefix: "1/0/0", Hash: "4/0/0"}, "does not count missed hits: kill"},

	{"loss before", func(s *scene) { s.Open(true, "f"); s.lose(0, s.Now()+1, s.Now()+2); s.DropCaches() },
		map[Kind]string{Equality: "1/0/0"}, ""},
	{"loss in the window", func(s *scene) {
		s.tamper = func(e *schema.Event) bool {
			if e.Role == schema.RoleInsert {
				s.lose(schema.RoleKill, e.Time, e.Time)
			}
			return true
		}
		s.Open(true, "f")
	}, map[Kind]string{Equality: "0/0/1", Prefix: "1/0/0", Hash: "4/0/0", Bucket: "1/0/0"}, "events lost in the window: 1 (ring buffer full)"},
	{"loss between the opens", func(s *scene) {
		s.Open(true, "f")
		s.lose(0, s.Now()+1, s.Now()+2)
		s.DropCaches()
		s.Open(true, "f")
	}, map[Kind]string{Eviction: "0/0/1", Equality: "2/0/0"}, "events lost in the window"},
	{"loss told too late", func(s *scene) { s.Open(true, "f"); s.lose(0, 1, 2) },
		map[Kind]string{Equality: "0/0/1", Hash: "0/0/4", Prefix: "0/0/1"}, LateLoss.Text},
}

func TestVerdicts(t *testing.T) {
	for _, tt := range verdictCases {
		t.Run(tt.name, func(t *testing.T) {
			f := record(t, tt.play)
			for k, want := range tt.want {
				if got := f.tally(k); got != want {
					t.Errorf("%s: %s, want %s", k, got, want)
				}
			}
			reason := ""
			for _, d := range f.Doubts {
				if reason += d.Reason() + "; "; d.Claim.Verdict == Proven {
					t.Errorf("a proven claim among the doubts: %+v", d)
				}
			}
			if !strings.Contains(reason, tt.reason) || tt.reason == "" && reason != "" {
				t.Errorf("reasons %q, want %q", reason, tt.reason)
			}
		})
	}
}

func TestSameAddressIsSaidToBeANewDentry(t *testing.T) {
	f := record(t, func(s *scene) { s.Open(true, "f"); s.DropCaches(); s.Open(true, "f") })
	e, ok := f.example(Eviction)
	cl := &e.Claim
	if !ok || cl.Object.Addr != cl.Other.Addr || cl.Object.Seq == cl.Other.Seq || cl.Result != 0 {
		t.Fatalf("eviction claim %+v", cl)
	}
	if says := cl.Says(code); !strings.Contains(says, "the same address again, a new dentry") || !strings.Contains(says, "by drop_caches") {
		t.Errorf("it says %q", says)
	}
}
