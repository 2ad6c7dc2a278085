// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// A follower is told of every claim that is counted, but for those on one event
// that are proven.
func TestFollowTellsEveryRuling(t *testing.T) {
	file := generate(t, 20_000)
	want := collect(t, file).Tally
	r, err := schema.NewReader(bytes.NewReader(file), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f := Follow(r.Header())
	var got Tally
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		s, rulings := f.Record(rec)
		if _, ok := rec.(*schema.Event); ok != (s != nil) {
			t.Fatalf("step %v of %T", s, rec)
		}
		for _, r := range rulings {
			got.add(r.Kind, r.Verdict)
		}
	}
	for _, k := range []Kind{Hash, Bucket, Storage} {
		want[k][Proven] = 0
	}
	if got != want {
		t.Errorf("told %v, counted %v", got, want)
	}
	if f.Finish().Events < 20_000 {
		t.Error("not all events")
	}
}
