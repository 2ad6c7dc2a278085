// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// Options.Follow is told of every claim that is counted, except those on one event that are proven.
func TestFollowTellsEveryRuling(t *testing.T) {
	file := generate(t, 20_000)
	want := collect(t, file).Tally
	r, err := schema.NewReader(bytes.NewReader(file), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got Tally
	f, err := Judge(r, Options{Follow: func(m *Moment) {
		if _, ok := m.Record.(*schema.Event); ok != (m.Step != nil) {
			t.Fatalf("step %v of %T", m.Step, m.Record)
		}
		for _, r := range m.Rulings {
			got[r.Kind][r.Verdict]++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []Kind{Hash, Bucket, Storage} {
		want[k][Proven] = 0
	}
	if got != want {
		t.Errorf("told %v, counted %v", got, want)
	}
	if f.Events < 20_000 {
		t.Error("not all events")
	}
}
