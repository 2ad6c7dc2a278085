// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// lookedUp is a lookup of "A" that returned the dentry of "a", on a filesystem that ignores case, and one
// of "b" that returned NULL; each is one event.
func lookedUp() (*schema.Header, []*schema.Event) {
	h := &schema.Header{Probe: []*schema.Probe{{Role: schema.RoleLookupRCU, Phase: schema.Whole, Symbol: "__d_lookup_rcu", Attached: true}}}
	enter, exit := schema.RoleLookupRCU.Shape(schema.Enter).Columns, schema.RoleLookupRCU.Shape(schema.Exit).Columns
	of := func(e schema.Event, entry *schema.Event) *schema.Event {
		for _, e := range []*schema.Event{&e, entry} {
			e.PID, e.TID, e.Comm, e.Role = 9, 9, "cat", schema.RoleLookupRCU
		}
		entry.ID, entry.Time, entry.Phase, entry.Columns = e.ID, e.Time, schema.Enter, enter
		e.Phase, e.Columns, e.Entry = schema.Exit, exit, entry
		return &e
	}
	return h, []*schema.Event{
		of(schema.Event{ID: 1, Time: 1_000_001_000, Dentry: 0x3000, Inode: 0x4000, Parent: 0x1000, Name: "a", NameLen: 1, Hash: 4, NameAddr: 0x3038},
			&schema.Event{Parent: 0x1000, Name: "A", NameLen: 1, Hash: 3, NameAddr: 0x2000, FSType: "ext4", Dev: 1<<20 | 2}),
		of(schema.Event{ID: 2, Time: 1_000_002_000},
			&schema.Event{Parent: 0x1000, Name: "b", NameLen: 1, Hash: 5, NameAddr: 0x2002, FSType: "ext4", Dev: 1<<20 | 2}),
	}
}

// spoken is a source of records in memory.
type spoken recording

func (s *spoken) Header() *schema.Header { return s.header }
func (s *spoken) Next() (schema.Record, error) {
	if len(s.records) == 0 {
		return nil, io.EOF
	}
	rec := s.records[0]
	s.records = s.records[1:]
	return rec, nil
}

// A call that is one event is printed as one line, or one object, with its arguments and its result.
func TestCallsArePrintedOnce(t *testing.T) {
	for _, test := range []struct {
		name   string
		format Format
		filter Filter
		want   []string
	}{
		{"text", NewText(TextOptions{}), Filter{}, []string{
			"      #1      1.000001 cat/9            - lookup_rcu            D1 | A",
			"      #2      1.000002 cat/9            - lookup_rcu            NULL | b"}},
		{"wide", NewText(TextOptions{Wide: true}), Filter{}, []string{
			"      #1      1.000001000   0 cat/9                  - lookup_rcu __d_lookup_rcu        parent=0x1000 hash=3 len=1 at=0x2000 fs=ext4 dev=1:2 -> dentry=0x3000 D1 parent=0x1000 inode=0x4000 at=0x3038 | A -> a",
			"      #2      1.000002000   0 cat/9                  - lookup_rcu __d_lookup_rcu        parent=0x1000 hash=5 len=1 at=0x2002 fs=ext4 dev=1:2 -> dentry=NULL | b"}},
		{"json", NewJSON(), Filter{}, []string{
			`{"type":"event","id":1,"time_ns":1000001000,"cpu":0,"pid":9,"tid":9,"comm":"cat","role":"lookup_rcu","phase":"call","symbol":"__d_lookup_rcu","depth":0,"parent":"0x1000","name":"A","name_len":1,"hash":3,"name_addr":"0x2000","fs":"ext4","dev":"1:2","returned":{"dentry":"0x3000","object":"D1","inode":"0x4000","parent":"0x1000","name":"a","name_len":1,"hash":4,"name_addr":"0x3038"}}`,
			`{"type":"event","id":2,"time_ns":1000002000,"cpu":0,"pid":9,"tid":9,"comm":"cat","role":"lookup_rcu","phase":"call","symbol":"__d_lookup_rcu","depth":0,"parent":"0x1000","name":"b","name_len":1,"hash":5,"name_addr":"0x2002","fs":"ext4","dev":"1:2","returned":{"dentry":null}}`}},
		{"by the name asked", NewText(TextOptions{}), Filter{Names: []string{"b"}}, []string{
			"      #2      1.000002 cat/9            - lookup_rcu            NULL | b"}},
		{"by the dentry", NewText(TextOptions{}), Filter{Objects: []ObjectRef{{Seq: 1}}}, []string{
			"      #1      1.000001 cat/9            - lookup_rcu            D1 | A"}},
	} {
		h, events := lookedUp()
		s := &spoken{header: h}
		for i := range events {
			s.records = append(s.records, events[i])
		}
		var out bytes.Buffer
		if _, err := Print(&out, s, &test.filter, test.format); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, "lookup_rcu") && !strings.Contains(line, `"header"`) {
				got = append(got, strings.TrimSuffix(line, "\n"))
			}
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

// A call that is one event is paired with itself, whatever was lost at that moment.
func TestCallsAreWhole(t *testing.T) {
	h, events := lookedUp()
	s := New(h)
	s.Loss(&schema.Loss{Cause: schema.LossRingBuffer, Role: schema.RoleLookupRCU, Count: 1, FirstNs: 1, LastNs: 2_000_000_000})
	for _, e := range events {
		if step := s.Event(e); step.Stray || step.Call == nil || step.Call.Enter.ID != e.ID || step.Call.Enter.Name != e.Entry.Name {
			t.Errorf("#%d: %+v", e.ID, step)
		}
	}
}

// EachPhase makes two steps of it: its entry, without a dentry, and its exit.
func TestEachPhase(t *testing.T) {
	h, events := lookedUp()
	s := New(h)
	var got []string
	s.Event(events[0]).EachPhase(func(s *Step) { got = append(got, fmt.Sprint(s.Event.Phase.Label(), s.Event.Name, s.Object != nil)) })
	if want := []string{"enterAfalse", "exitatrue"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// An alloc that waits for memory may reclaim dentries. Their events come before it in the file, and it was
// entered before them.
func TestAllocsReclaim(t *testing.T) {
	h, events := lookedUp()
	for _, phase := range []schema.Phase{schema.Enter, schema.Exit} {
		h.Probe = append(h.Probe, &schema.Probe{Role: schema.RoleOpen, Phase: phase, Attached: true})
	}
	s, at := New(h), uint64(0)
	apply := func(r schema.Role, p schema.Phase, e schema.Event) *Step {
		at++
		e.ID, e.Time, e.PID, e.TID, e.Role, e.Phase, e.Columns = at, at, 9, 9, r, p, r.Shape(p).Columns
		return s.Event(&e)
	}
	apply(schema.RoleOpen, schema.Enter, schema.Event{Name: "/a", NameLen: 2})
	for _, r := range []schema.Role{schema.RoleDrop, schema.RoleKill, schema.RoleFree} {
		apply(r, schema.Enter, schema.Event{Dentry: 0x7000})
	}
	entry := *events[0].Entry
	entry.Role = schema.RoleAlloc
	if c := apply(schema.RoleAlloc, schema.Exit, schema.Event{Dentry: 0x3000, Entry: &entry}).Call; c.NotBefore != 1 || c.NotBeforeTime != 1 {
		t.Errorf("entered after #%d at %d, want #1 at 1", c.NotBefore, c.NotBeforeTime)
	}
}

// A dentry that was moved since the last event of a thread may have been moved while the thread looked it
// up, so it is no contradiction if it has another name than was asked for. If it was moved before that
// event, it is.
func TestCallsMayHaveBegunBefore(t *testing.T) {
	for _, during := range []bool{true, false} {
		_, events := lookedUp()
		s := New(tracetest.Header())
		id, now := uint64(0), uint64(0)
		apply := func(e schema.Event, tid uint32) *Step {
			id, now = id+1, now+1000
			e.ID, e.Time, e.TID, e.PID = id, now, tid, tid
			return s.Event(&e)
		}
		columns := func(r schema.Role, p schema.Phase) schema.Columns { return r.Shape(p).Columns }
		open := schema.Event{Role: schema.RoleOpen, Phase: schema.Enter, Columns: columns(schema.RoleOpen, schema.Enter), Name: "/A", NameLen: 2}
		at := schema.Event{Role: schema.RoleInsert, Phase: schema.Exit, Columns: columns(schema.RoleInsert, schema.Exit), Dentry: 0x3000, Inode: 0x4000, Parent: 0x1000, Name: "A", NameLen: 1, Hash: 3, NameAddr: 0x3038}
		move := at
		move.Role, move.Phase, move.Columns, move.Target = schema.RoleMove, schema.Enter, columns(schema.RoleMove, schema.Enter), 0x5000
		moved := move
		moved.Phase, moved.Columns, moved.Target, moved.Name, moved.Hash = schema.Exit, columns(schema.RoleMove, schema.Exit), 0, "a", 4
		apply(at, 8)
		if during {
			apply(open, 9)
		}
		apply(move, 8)
		apply(moved, 8)
		if !during {
			apply(open, 9)
		}
		if d := apply(*events[0], 9).Object; d == nil || (d.Contradicted == nil) != during {
			t.Errorf("moved during the call: %v; %+v", during, d)
		}
	}
}
