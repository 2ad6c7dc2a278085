// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// A recording whose leaf calls are one event each is judged like the same recording with an entry and an
// exit for each.
func TestLeavesAreJudgedTheSame(t *testing.T) {
	for name, b := range tracetest.Files(t, "../test/format1/run1.pb", "../test/cases/*.pb", "testdata/*.pb") {
		leaves, err := tracetest.JoinLeaves(b)
		if err != nil {
			t.Fatal(name, err)
		}
		two, one := collect(t, b), collect(t, leaves)
		if one.Events >= two.Events && two.Events > 100 && filepath.Base(name) != "leaf.pb" {
			t.Errorf("%s: %d events, of two phases %d", name, one.Events, two.Events)
		}
		for _, k := range Kinds() {
			if got, want := one.Tally[k.Kind], two.Tally[k.Kind]; got != want {
				t.Errorf("%s: %s: %v, of two phases %v", name, k.Name, got, want)
			}
		}
	}
}

// A call that is one line of a log is shown as an entry and an exit.
func TestCallsOfLogs(t *testing.T) {
	e := schema.Event{Role: schema.RoleLookupRCU, Phase: schema.Exit, Columns: 1 << schema.ColumnDentry}
	e.Entry = &schema.Event{Role: e.Role, Phase: schema.Enter, Columns: 1 << schema.ColumnKey, Name: "a", NameLen: 1}
	var log bytes.Buffer
	w, err := schema.NewWriter(&log, &schema.Header{Probe: []*schema.Probe{{Role: e.Role, Phase: schema.Whole, Attach: schema.Attach_ATTACH_DMESG, Attached: true}}})
	if err == nil {
		err = w.Append(&e)
	}
	if err := errors.Join(err, w.Close(&schema.Footer{})); err != nil {
		t.Fatal(err)
	}
	steps := collect(t, log.Bytes()).Programs[0].Items[0].Steps
	if len(steps) != 2 || steps[0].Event.Name != "a" || steps[1].Event.Phase != schema.Exit {
		t.Errorf("%+v", steps)
	}
}

func (o *ownOpen) ran(e *schema.Event) {
	o.course += fmt.Sprint(e.Role, e.Phase, e.Dentry != 0, e.Errno(), " ")
}

// each calls f for the events with that id until f returns true, which it reports. A call that is one event
// has an entry and an exit.
func (x *truth) each(id uint64, f func(*schema.Event) bool) bool {
	e := x.events[id]
	return e != nil && (e.Entry != nil && f(e.Entry) || f(e))
}
