// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"bytes"
	"io"
	"testing"
)

// lookup is a call that is one event: it asked for "A", and returned the dentry of "a".
func lookup(id uint64) Event {
	e := Event{ID: id, Time: 7, PID: 1, TID: 2, Comm: "cat", Role: RoleLookupRCU, Phase: Exit, Columns: RoleLookupRCU.Shape(Exit).Columns,
		Dentry: 0x3000, Inode: 0x4000, Parent: 0x1008, Name: "a", NameLen: 1, Hash: 4, NameAddr: 0x3038, Facts: FactMountpoint}
	e.Entry = &Event{ID: id, Time: 7, PID: 1, TID: 2, Comm: "cat", Role: RoleLookupRCU, Phase: Enter, Columns: RoleLookupRCU.Shape(Enter).Columns,
		Parent: 0x1000, Name: "A", NameLen: 1, Hash: 3, NameAddr: 0x2000, FSType: "ext4", Dev: 9, Facts: FactParentIsRoot | FactUnwatched}
	return e
}

// A call that is one event is read as one, with its arguments and its result. The next event has none of
// its values.
func TestCallsAreRead(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, &Header{})
	if err != nil {
		t.Fatal(err)
	}
	null := Event{ID: 2, Time: 7, PID: 3, TID: 4, Comm: "dog", Role: RoleLookupRCU, Phase: Exit, Columns: RoleLookupRCU.Shape(Exit).Columns}
	entry := *lookup(2).Entry
	entry.PID, entry.TID, entry.Comm = null.PID, null.TID, null.Comm
	null.Entry = &entry
	alone := lookup(5)
	alone.Entry = nil
	want := []Event{lookup(1), null, lookup(3),
		{ID: 4, Time: 7, PID: 1, TID: 2, Comm: "cat", Role: RoleExec, Phase: Enter, Columns: RoleExec.Shape(Enter).Columns, Name: "/a", NameLen: 2}, alone, lookup(6)}
	for i := range want {
		if err := w.Append(&want[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(&Footer{}); err != nil || w.Events() != uint64(len(want)) {
		t.Fatal(err, w.Events())
	}
	r, err := NewReader(&file, 0)
	if err != nil {
		t.Fatal(err)
	}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		e, ok := rec.(*Event)
		if !ok {
			continue
		}
		if len(want) == 0 {
			t.Fatalf("one event more: %+v", *e)
		}
		got, expected := *e, want[0]
		if want = want[1:]; (got.Entry == nil) != (expected.Entry == nil) || got.Entry != nil && *got.Entry != *expected.Entry {
			t.Fatalf("#%d was given %+v, want\n%+v", got.ID, got.Entry, expected.Entry)
		}
		got.Entry, expected.Entry = nil, nil
		if got != expected {
			t.Fatalf("%+v, want\n%+v", got, expected)
		}
	}
	if len(want) != 0 {
		t.Errorf("%d events are missing", len(want))
	}
}
