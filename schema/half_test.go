// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"bytes"
	"io"
	"testing"
)

func halves(id uint64) (entry, exit Event) {
	entry = Event{ID: id, Time: 7, PID: 1, TID: 2, Comm: "cat", Role: RoleLookupRCU, Phase: Enter, Half: true, Columns: RoleLookupRCU.Shape(Enter).Columns,
		Parent: 0x1000, Name: "A", NameLen: 1, Hash: 3, NameAddr: 0x2000, FSType: "ext4", Dev: 9, Facts: FactParentIsRoot | FactUnwatched}
	exit = Event{ID: id, Time: 7, PID: 1, TID: 2, Comm: "cat", Role: RoleLookupRCU, Phase: Exit, Half: true, Columns: RoleLookupRCU.Shape(Exit).Columns,
		Dentry: 0x3000, Inode: 0x4000, Parent: 0x1008, Name: "a", NameLen: 1, Hash: 4, NameAddr: 0x3038, Facts: FactMountpoint}
	return entry, exit
}

// A call that is one event is handed out as its entry and its exit, each with what it had; the id
// after it is the next one.
func TestHalves(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, &Header{})
	if err != nil {
		t.Fatal(err)
	}
	var want []Event
	for id := range uint64(3) {
		entry, exit := halves(id + 1)
		if id == 1 {
			exit = Event{ID: 2, Time: 7, PID: 1, TID: 2, Comm: "cat", Role: RoleLookupRCU, Phase: Exit, Half: true, Columns: exit.Columns}
		}
		want = append(want, entry, exit)
	}
	want = append(want, Event{ID: 4, Time: 7, PID: 1, TID: 2, Comm: "cat", Role: RoleExec, Phase: Enter, Columns: RoleExec.Shape(Enter).Columns, Name: "/a", NameLen: 2})
	for i := range want {
		if err := w.Append(&want[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(&Footer{}); err != nil || w.Events() != 4 {
		t.Fatal(err, w.Events())
	}
	r, err := NewReader(&file, 0)
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := rec.(*Event); ok {
			if len(want) == 0 || *e != want[0] {
				t.Fatalf("%+v, want\n%+v", *e, want)
			}
			if want = want[1:]; e.First() {
				counted++
			}
		} else if _, ok := rec.(*Damage); ok {
			t.Errorf("%+v", rec)
		}
	}
	if len(want) != 0 || counted != 4 {
		t.Errorf("%d events are missing, %d counted", len(want), counted)
	}
}

// Half a call alone is no event.
func TestHalfAlone(t *testing.T) {
	entry, exit := halves(1)
	other := Event{Role: RoleExec, Phase: Enter, Columns: RoleExec.Shape(Enter).Columns}
	for _, events := range [][]*Event{{&exit}, {&entry, &entry}, {&entry, &other}} {
		w, err := NewWriter(io.Discard, &Header{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			err = w.Append(e)
		}
		if err == nil {
			t.Errorf("%d events with half a call were taken", len(events))
		}
	}
}
