// SPDX-License-Identifier: Apache-2.0

package report

import (
	"reflect"
	"testing"

	"github.com/dtrec/dtrec/replay"
)

// Every kind has what the engine and the printers need.
func TestKindsAreWhole(t *testing.T) {
	for _, info := range Kinds() {
		k := table[info.Kind]
		if k.name == "" || k.says == "" || k.tell == nil || k.needs|k.some == 0 || k.open == nil && k.event == nil {
			t.Errorf("kind %d, %q, lacks something", k.number, k.name)
		}
		if k.walks && k.needs&opens != 0 {
			t.Errorf("%s is told of every walk, and needs an open", k.name)
		}
		if (k.event == nil) != (k.enters|k.exits == 0) {
			t.Errorf("%s looks at events of no role, or not at all", k.name)
		}
	}
}

// No claim finds parts of the one before: a kind that sets a part makes the claim, which clears it.
func TestNoPartIsLeftOver(t *testing.T) {
	for _, trace := range []string{"../traces/run1.pb", "testdata/misc.pb", "testdata/xch.pb"} {
		m := inMemory(t, trace)
		c := newCollector(m.header, Options{Beside: alone{replay.New(m.header)}})
		for i, k := range c.kinds {
			checked := *k
			if k.open == nil {
				continue
			}
			checked.open = func(v *view) {
				if k.open(v); !reflect.ValueOf(v.parts).IsZero() {
					t.Errorf("%s leaves %+v", k.name, v.parts)
				}
			}
			c.kinds[i] = &checked
		}
		for _, rec := range m.records {
			if c.record(rec); !reflect.ValueOf(c.view.parts).IsZero() {
				t.Fatalf("left after %+v", rec)
			}
		}
	}
}
