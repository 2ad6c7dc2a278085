// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// cell is one possible outcome of a claim: its kind and the reason against it, nil for proven.
type cell struct {
	kind Kind
	why  *Reason
}

func (c cell) String() string {
	return fmt.Sprintf("%s: %s %s", c.kind, c.why.verdict(), c.why.about(About{}, true))
}

// declared returns the cells of the table: every kind as proven, and every kind with each of its reasons.
func declared() map[cell]bool {
	out := make(map[cell]bool)
	for _, info := range Kinds() {
		k := info.Kind
		out[cell{k, nil}] = true
	}
	for _, k := range Kinds() {
		for _, why := range k.Reasons {
			out[cell{k.Kind, why}] = true
		}
	}
	return out
}

// cellCase is a recording, with the expected outcome of every claim of one kind in it.
type cellCase struct {
	name string
	kind Kind
	want []*Reason
	play func(*tape)
}

// tabled plays a tape and returns the reasons of the claims made of it, in order, by kind. In a void run
// every claim has the reason of the void.
func tabled(t *testing.T, header func(*schema.Header), footer *schema.Footer, spoil func(*tape, []byte), play func(*tape)) map[Kind][]*Reason {
	t.Helper()
	h := tracetest.Header()
	if header != nil {
		header(h)
	}
	r := &tape{t: t, now: 1e9, tid: 100, comm: "prog", header: h}
	play(r)
	if r.flush(); footer != nil {
		if err := r.w.Close(footer); err != nil {
			t.Fatal(err)
		}
	}
	b := r.file.Bytes()
	if spoil != nil {
		spoil(r, b)
	}
	in, err := schema.NewReader(bytes.NewReader(b), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	got := make(map[Kind][]*Reason)
	f, err := Judge(in, Options{Each: func(cl *Claim) {
		if cl.Verdict != cl.Why.verdict() || (cl.Reason() == "") != (cl.Why == nil) {
			t.Errorf("%s is %s because of %q (%v)", cl.Kind, cl.Verdict, cl.Reason(), cl.Why)
		}
		got[cl.Kind] = append(got[cl.Kind], cl.Why)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if f.Void != nil {
		for k := range got {
			for i := range got[k] {
				got[k][i] = f.Void
			}
		}
		if f.Tally.Total(Proven)+f.Tally.Total(Refuted) > 0 {
			t.Errorf("void, and %d proven", f.Tally.Total(Proven))
		}
	}
	return got
}

// everyKind plays events with a proven claim of every kind.
func everyKind(r *tape) {
	r.open("d/f") // gives creation, key, prefix, storage, hash, bucket, equality
	r.rcu(rootAddr, "d", 0, addrA, 5)
	r.look(schema.RoleLookup, addrA, "f", 2, 0, 0)
	r.allocOnly("f", 2, addrB)
	r.bucketed(addrA, "f", addrB)
	r.on(schema.RoleInstantiate, schema.Exit, addrB, addrA, 6, "f")
	r.opened(addrB, addrA, 6, "f")

	r.open("d/l") // gives hard link, absence of an alloc
	r.rcu(rootAddr, "d", 0, addrA, 5)
	r.rcu(addrA, "l", 2, addrD, 6)
	r.opened(addrD, addrA, 6, "l")

	r.move(addrB, addrA, 6, "f", "g") // gives move, delete
	r.look(schema.RoleLookup, addrA, "g", 2, addrB, 6)
	r.on(schema.RoleDelete, schema.Enter, addrB, addrA, 6, "g")
	r.kill(addrB, addrA, "g")

	r.open("d/n") // gives negative, absence of a file
	r.rcu(rootAddr, "d", 0, addrA, 5)
	r.rcu(addrA, "n", 2, 0, 0)
	r.alloc(addrA, "n", 2, addrC, 0)
	r.fail(2)
	r.kill(addrC, addrA, "n")
	for _, t := range kindTests {
		t.proven(r)
	}
}

// kindTest is what the tests need for a kind of claim with a test file of its own: events with a proven
// claim of the kind, and a case for each of its reasons.
type kindTest struct {
	proven func(*tape)
	cases  []cellCase
}

// kindTests are filled by tested.
var kindTests []kindTest

func tested(t kindTest) bool {
	kindTests = append(kindTests, t)
	return true
}

// A reason that lies in the recording as a whole applies to every kind of claim that it can apply to.
func TestEveryKindIsDoubtedByItsRecording(t *testing.T) {
	probes := func(change func(*schema.Probe)) func(*schema.Header) {
		return func(h *schema.Header) {
			for _, p := range h.Probe {
				change(p)
			}
		}
	}
	end := &schema.Footer{}
	lose := func(first, last uint64) func(r *tape) {
		return func(r *tape) { r.lose(schema.RoleFree, first, last) } // of a role whose loss leaves calls paired and nested
	}
	all := func(*tape) {}
	alone := func(r *tape) { r.flush(); r.lose(schema.RoleFree, 1, 2); r.flush() } // the loss is in a frame of its own
	spoil := func(r *tape, b []byte) { b[(r.frames[0]+r.frames[1])/2] ^= 0xff }
	for _, tt := range []struct {
		why           *Reason
		header        func(*schema.Header)
		before, after func(*tape)
		footer        *schema.Footer
		spoil         func(*tape, []byte)
	}{
		{nil, nil, all, all, end, nil},
		{NotAttached, probes(func(p *schema.Probe) { p.Attached = false }), all, all, end, nil},
		{NotCounted, probes(func(p *schema.Probe) { p.Uncounted = true }), all, all, end, nil},
		{FromText, probes(func(p *schema.Probe) { p.Attach, p.Uncounted = schema.Attach_ATTACH_TEXT, true }), all, all, end, nil},
		{FromLog, probes(func(p *schema.Probe) { p.Attach, p.Uncounted = schema.Attach_ATTACH_DMESG, true }), all, all, end, nil},
		{EventsLost, nil, lose(1e9+1, 1e10), all, end, nil},
		{Unwatched, nil, func(r *tape) { r.every = func(e *schema.Event) { e.Facts |= schema.FactUnwatched } }, all, end, nil},
		{LateLoss, nil, all, lose(1, 2), end, nil},
		{OtherLosses, nil, alone, all, end, spoil},
		{DamagedFile, nil, all, func(r *tape) { r.flush(); r.kill(addrA, rootAddr, "d"); r.flush() }, nil, spoil},
	} {
		t.Run(fmt.Sprint(tt.why.verdict(), " ", tt.why.about(About{}, true)), func(t *testing.T) {
			got := tabled(t, tt.header, tt.footer, tt.spoil, func(r *tape) { tt.before(r); everyKind(r); tt.after(r) })
			for _, info := range Kinds() {
				k := info.Kind
				var want *Reason
				if declared()[cell{k, tt.why}] {
					want = tt.why
				}
				if len(got[k]) == 0 {
					t.Errorf("no claim on %s", k)
				}
				for _, why := range got[k] {
					if why != want {
						t.Errorf("%v, want %v", cell{k, why}, cell{k, want})
					}
				}
			}
		})
	}
}

// A reason that lies in the events applies to the claims that rest on them.
func TestEveryReasonIsReached(t *testing.T) {
	reached := make(map[cell]bool)
	for _, tt := range cellCases() {
		t.Run(tt.name, func(t *testing.T) {
			got := tabled(t, nil, &schema.Footer{}, nil, tt.play)
			if !slices.Equal(got[tt.kind], tt.want) {
				t.Errorf("%s: %v, want %v", tt.kind, cellsOf(tt.kind, got[tt.kind]), cellsOf(tt.kind, tt.want))
			}
			for k, list := range got {
				for _, why := range list {
					if !declared()[cell{k, why}] {
						t.Errorf("%v is not in the table of reasons", cell{k, why})
					}
				}
			}
		})
		for _, why := range tt.want {
			reached[cell{tt.kind, why}] = true
		}
	}
	recording := []*Reason{nil, NotAttached, NotCounted, FromLog, FromText, EventsLost, Unwatched, Forgotten, LateLoss, OtherLosses, DamagedFile}
	for c := range declared() {
		if !reached[c] && !slices.Contains(recording, c.why) {
			t.Errorf("no case comes to %v", c)
		}
	}
}

func cellsOf(k Kind, list []*Reason) string {
	var out []string
	for _, why := range list {
		out = append(out, cell{k, why}.String())
	}
	return strings.Join(out, " | ")
}

// Every reason has a text and a fitting verdict.
func TestReasonsAreWhole(t *testing.T) {
	for _, k := range Kinds() {
		for _, r := range k.Reasons {
			if r.Text == "" || r.Verdict == Proven || r.Unseen && r.Verdict != Unproven {
				t.Errorf("%s: %+v", k.Name, r)
			}
		}
	}
}
