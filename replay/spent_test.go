// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// A state that takes dentries for those met next says the same of each as one that makes new ones.
func TestSpentDentries(t *testing.T) {
	traces := make(map[string][]byte)
	files, err := filepath.Glob("../traces/*.pb")
	if err != nil || len(files) == 0 {
		t.Fatal("no traces", err)
	}
	for _, file := range append(files, "../test/random/run.pb") {
		if traces[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	if traces["generated"], err = tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(50000, emit) }); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for name, trace := range traces {
		taken += sameOfEach(t, name, trace)
	}
	if taken < 100 {
		t.Errorf("%d dentries were taken", taken)
	}
}

// sameOfEach returns how many dentries were taken.
func sameOfEach(t *testing.T, name string, trace []byte) (taken int) {
	r, err := schema.NewReader(bytes.NewReader(trace), 1)
	if err != nil {
		return 0
	}
	defer r.Close()
	makes, takes := New(r.Header()), New(r.Header())
	takes.Objects.spent.on = true
	for {
		rec, err := r.Next()
		if err != nil {
			return taken
		}
		before := takes.Objects.spent.count
		m, s := makes.Record(rec), takes.Record(rec)
		if takes.Objects.spent.count < before {
			taken++
		}
		if m == nil {
			continue
		}
		if (m.Object == nil) != (s.Object == nil) || m.Object != nil && alone(*m.Object) != alone(*s.Object) {
			t.Fatalf("%s: #%d is of %+v, want %+v", name, m.Event.ID, s.Object, m.Object)
		}
	}
}

// alone is a dentry without what it points to, but for what its events contradict.
func alone(d Object) Object {
	if d.older, d.younger = nil, nil; d.Contradicted != nil {
		d.Contradicted = nil
		d.HitRole = -d.HitRole - 1
	}
	return d
}
