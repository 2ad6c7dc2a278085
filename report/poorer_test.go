// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// With less recorded, claims may only become less certain: whatever is proven or refuted in a trace that
// lacks events, and says so, is so in the whole trace, with the same operands. DTREC_SEED repeats a run,
// DTREC_CASES multiplies its length, and DTREC_TRACES adds traces that lost nothing (absolute paths,
// separated by colons).
func TestLossLosesCertaintyOnly(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("DTREC_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	events := 60_000 // events read of each trace
	if n, err := strconv.Atoi(os.Getenv("DTREC_CASES")); err == nil {
		events *= n
	}
	t.Logf("DTREC_SEED=%d", seed)
	for name, whole := range wholeTraces(t) {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			want := certain(t, whole)
			fallen := make(map[string]int)
			cases, held := events/len(whole.records), 0
			for range cases {
				way := ways[rng.IntN(len(ways))]
				poor := way.spoil(rng, whole)
				got := certain(t, poor)
				for at, cl := range got {
					if err := whole.beyond(cl, want[at], want, at); err != "" {
						t.Fatalf("%s, DTREC_SEED=%d: %s: %s\nterms %+v", way.name, seed, at, err, cl.Terms)
					}
				}
				held += len(got)
				if len(got) < len(want) {
					fallen[way.name]++
				}
			}
			for _, w := range ways {
				if cases > 20*len(ways) && fallen[w.name] == 0 {
					t.Errorf("%s: no claim has fallen in any case", w.name)
				}
			}
			t.Logf("%d claims, %d cases, %d verdicts held, claims fell in %v", len(want), cases, held, fallen)
		})
	}
}

// memory is a trace in memory.
type memory struct {
	header  *schema.Header
	records []schema.Record
	next    int
}

func (m *memory) Header() *schema.Header { return m.header }

func (m *memory) Next() (schema.Record, error) {
	if m.next == len(m.records) {
		m.next = 0
		return nil, io.EOF
	}
	m.next++
	return m.records[m.next-1], nil
}

// wholeTraces returns recordings of real kernels and of a simulated one, by name.
func wholeTraces(t *testing.T) map[string]*memory {
	out := make(map[string]*memory)
	files := tracetest.FileNames(t, "../traces/*.pb", "../test/random/run.pb", "../test/cases/mkrm.pb")
	for _, file := range append(files, filepath.SplitList(os.Getenv("DTREC_TRACES"))...) {
		out[filepath.Base(file)] = inMemory(t, file)
	}
	m := &memory{header: tracetest.Header()}
	tracetest.Generate(2000, m.append)
	m.records = append(m.records, &schema.Footer{})
	out["generated"] = m
	return out
}

func (m *memory) append(e *schema.Event) {
	kept := *e
	kept.ID = uint64(len(m.records) + 1)
	m.records = append(m.records, &kept)
}

// inMemory reads a trace into memory.
func inMemory(t *testing.T, file string) *memory {
	t.Helper()
	r := tracetest.Open(t, file)
	m := &memory{header: r.Header()}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return m
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := rec.(*schema.Event); ok {
			rec = e.Clone()
		}
		m.records = append(m.records, rec)
	}
}

// certain returns the claims of a trace that are proven or refuted, by kind, subject and the event at which
// they were judged.
func certain(t *testing.T, m *memory) map[string]Claim {
	t.Helper()
	out := make(map[string]Claim)
	var last uint64
	f, err := Judge(&watched{m, &last}, Options{Each: func(cl *Claim) {
		if cl.Verdict != Unproven {
			kept := cl.Clone()
			at := last
			switch cl.Kind {
			case Prefix:
				at = cl.Right.Event // later events do not matter
			case Delete: // it is judged when more becomes known, or at the end
				at = cl.Terms[slices.IndexFunc(cl.Terms, func(t Term) bool { return t.Label == "d_delete entry" })].Event
			}
			out[fmt.Sprintf("%s %s %q at #%d", cl.Kind, cl.Means, cl.Subject, at)] = kept
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if f.Void != nil {
		clear(out)
	}
	return out
}

// watched notes the id of the last event read.
type watched struct {
	replay.Source
	last *uint64
}

func (w *watched) Next() (schema.Record, error) {
	rec, err := w.Source.Next()
	if e, ok := rec.(*schema.Event); ok {
		*w.last = e.ID
	}
	return rec, err
}

// beyond says what a claim has that the claim of the whole trace has not; empty: nothing. It may have fewer
// operands, if one was lost, or others that show the same dentry.
func (m *memory) beyond(poor, whole Claim, all map[string]Claim, key string) string {
	switch {
	case poor.Kind == Delete && poor.Verdict == Proven && whole.Kind == 0 && m.left(poor.Terms, key):
		return "" // judged at the end of the recording, before the dentry's own end
	case poor.Kind == Eviction && poor.Verdict == Proven && m.evicted(poor.Terms[0], poor.Terms[1]):
		return "" // another pair, as an open in between was not recorded
	case poor.Kind == HardLink && poor.Verdict == Proven && whole.Kind == 0 && m.linked(poor, all):
		return "" // an open in between had shown it, and was not recorded
	case whole.Verdict != poor.Verdict:
		return fmt.Sprintf("%s, and of the whole trace %s", poor.Verdict, whole.Verdict)
	case poor.Kind == Eviction && poor.Terms[0] != whole.Terms[0]:
		return killedBefore(poor, whole, all)
	case poor.Left.Value != whole.Left.Value || poor.Right.Value != whole.Right.Value || poor.Result != whole.Result:
		return fmt.Sprintf("another subtraction: %+v", whole)
	case poor.Kind != Prefix && poor.Object.Addr != whole.Object.Addr, poor.Other.Addr != whole.Other.Addr:
		return fmt.Sprintf("about other dentries: %v %v, not %v %v", poor.Object, poor.Other, whole.Object, whole.Other)
	case poor.Kind == Move && !sameMove(poor.Detail.(*Moved), whole.Detail.(*Moved)):
		return fmt.Sprintf("another rename: %s, and of the whole trace %s", said(&poor), said(&whole))
	case poor.Kind == Key && !sameWalk(poor.Detail.(*PathWalk), whole.Detail.(*PathWalk)):
		return fmt.Sprintf("another walk: %s, and of the whole trace %s", said(&poor), said(&whole))
	}
	for _, term := range poor.Terms {
		if !hasTerm(whole, term) && !m.shows(term, poor, whole, all) {
			return fmt.Sprintf("#%d is no operand of it: %+v", term.Event, whole.Terms)
		}
	}
	return ""
}

// sameMove reports whether the poorer trace says no more about the target than the whole one; it may say
// less.
func sameMove(p, w *Moved) bool {
	poor, whole := &p.Target, &w.Target
	return p.From == w.From && p.To == w.To && poor.Addr == whole.Addr && poor.Exchange == whole.Exchange && poor.Back == whole.Back && (!poor.Known || whole.Known)
}

// sameWalk reports whether two claims say the same about a walk, except for the numbers of dentries.
func sameWalk(poor, whole *PathWalk) bool {
	plain := func(w Way) Way { w.Bind.Seq = 0; return w }
	if len(poor.Keys()) != len(whole.Keys()) || poor.Stop.Rest != whole.Stop.Rest || poor.Stop.Ret != whole.Stop.Ret || plain(poor.Stop.Way) != plain(whole.Stop.Way) {
		return false
	}
	for i, k := range poor.Keys() {
		o := whole.Keys()[i]
		if plain(k.Way) != plain(o.Way) || k.Component != o.Component || k.Offset != o.Offset || k.Parent != o.Parent || k.Result.Addr != o.Result.Addr {
			return false
		}
	}
	return true
}

func hasTerm(cl Claim, term Term) bool {
	return slices.ContainsFunc(cl.Terms, func(w Term) bool { return w.Event == term.Event && w.Value == term.Value })
}

// killedBefore says what is wrong with an eviction that missed an open of the path; empty: nothing. Its
// kill must be that of an earlier eviction from the path.
func killedBefore(poor, whole Claim, all map[string]Claim) string {
	for _, cl := range all {
		if cl.Kind == Eviction && cl.Subject == poor.Subject && cl.Verdict == Proven && cl.Terms[0] == poor.Terms[0] && poor.Terms[1] == whole.Terms[1] {
			return ""
		}
	}
	return fmt.Sprintf("#%d killed no dentry that was evicted from the path", poor.Terms[0].Event)
}

// shows reports whether an operand shows the same as those of the whole trace: the same dentry in the same
// life, or the same component under the same parent.
func (m *memory) shows(term Term, poor, whole Claim, all map[string]Claim) bool {
	last := whole.Terms[len(whole.Terms)-1]
	switch {
	case poor.Kind == Key:
		e := m.event(term.Event)
		return slices.ContainsFunc(whole.Terms, func(w Term) bool {
			o := m.event(w.Event)
			return w.Value == term.Value && o.TID == e.TID && o.Name == e.Name && o.NameAddr == e.NameAddr
		})
	case poor.Kind == Negative && schema.Errno(term.Value) != 0: // an open before the previous one
		for _, cl := range all {
			if cl.Kind == Negative && cl.Object.Addr == poor.Object.Addr && hasTerm(cl, term) && cl.Terms[len(cl.Terms)-1].Event == term.Event {
				return true
			}
		}
		return false
	case poor.Kind == HardLink && term.Value == last.Value: // seen with this inode in another open
		return m.lives(whole.Other.Addr, term.Event, last.Event)
	}
	return term.Value == whole.Object.Addr && m.lives(term.Value, term.Event, last.Event)
}

// evicted reports whether the dentry that was killed and the one allocated after it had the same name in
// the same directory, or the same path.
func (m *memory) evicted(kill, alloc Term) bool {
	was, born := m.event(kill.Event), m.event(alloc.Event)
	for _, rec := range m.records {
		e, ok := rec.(*schema.Event)
		if ok && e.Role == schema.RoleInsert && e.Dentry == born.Dentry && e.ID > born.ID {
			return was.Role == schema.RoleKill && was.ID < born.ID && was.Name == e.Name &&
				(was.Parent == e.Parent && m.lives(e.Parent, was.ID, e.ID) || m.path(was.Parent, was.ID) == m.path(e.Parent, e.ID))
		}
	}
	return false
}

// linked reports whether another open showed that the two names have one inode, and neither dentry ended
// between that open and this one.
func (m *memory) linked(poor Claim, all map[string]Claim) bool {
	for _, cl := range all {
		a, b := cl.Object.Addr, cl.Other.Addr
		if cl.Kind != HardLink || a != poor.Other.Addr && a != poor.Object.Addr || b != poor.Other.Addr && b != poor.Object.Addr {
			continue
		}
		first, last := min(cl.Terms[1].Event, poor.Terms[1].Event), max(cl.Terms[1].Event, poor.Terms[1].Event)
		if m.lives(a, first, last) && m.lives(b, first, last) {
			return true
		}
	}
	return false
}

// left reports whether a deleted dentry had not ended when the claim was judged.
func (m *memory) left(terms []Term, key string) bool {
	at, err := strconv.ParseUint(key[strings.LastIndexByte(key, '#')+1:], 10, 64)
	last := terms[len(terms)-1]
	return err == nil && m.event(last.Event).Role == schema.RoleDelete && m.lives(last.Value, terms[0].Event, at+1)
}

// path returns the path of the dentry at an address at the time of an event, as far as earlier events tell
// it.
func (m *memory) path(addr, at uint64) string {
	for _, rec := range slices.Backward(m.records[:min(uint64(len(m.records)), at)]) {
		e, ok := rec.(*schema.Event)
		if !ok || e.Dentry != addr || e.ID > at || e.Name == "" || e.Parent == addr {
			continue
		}
		return m.path(e.Parent, e.ID) + "/" + e.Name
	}
	return fmt.Sprintf("%#x", addr)
}

func (m *memory) event(id uint64) *schema.Event {
	for _, rec := range m.records {
		if e, ok := rec.(*schema.Event); ok && e.ID == id {
			return e
		}
	}
	return &schema.Event{}
}

// lives reports whether nothing was allocated or killed at the address between two events.
func (m *memory) lives(addr, after, before uint64) bool {
	for _, rec := range m.records {
		e, ok := rec.(*schema.Event)
		if ok && e.Dentry == addr && e.ID > after && e.ID < before && (e.Role == schema.RoleKill || e.Role == schema.RoleAlloc) {
			return false
		}
	}
	return true
}

// way is one way in which a trace may become poorer.
type way struct {
	name  string
	spoil func(*rand.Rand, *memory) *memory
}

var ways = []way{
	{"events lost", loseEvents}, {"role not attached", leaveOut}, {"misses not counted", missSilently},
	{"dentry not watched", stopWatching}, {"file cut", cutFile}, {"frame damaged", damageFrame},
	{"fewer processes, for less long", recordLess}, {"one file of several", onePart},
}

// lostWindow is a loss record that is yet to be inserted.
type lostWindow struct {
	loss  *schema.Loss
	begin uint64 // time at which the window began, not later than first_ns
}
