// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// A state that keeps only the numbers of dentries gives each dentry the same number as a full state.
func TestNumbersAlone(t *testing.T) {
	for name, trace := range spentTraces(t) {
		r, err := schema.NewReader(bytes.NewReader(trace), 1)
		if err != nil {
			t.Fatal(name, err)
		}
		sameNumbers(t, name, r)
		r.Close()
	}
}

func sameNumbers(t *testing.T, name string, src Source) {
	all, numbers := New(src.Header()), New(src.Header())
	numbers.Objects.numbersOnly, numbers.Objects.freeList.enabled = true, true
	for {
		rec, err := src.Next()
		if err != nil {
			return
		}
		want, got := all.Record(rec), numbers.Record(rec)
		if want == nil {
			continue
		}
		if (want.Object == nil) != (got.Object == nil) || want.Object != nil && (want.Object.Seq != got.Object.Seq || want.Object.Addr != got.Object.Addr) {
			t.Fatalf("%s: #%d is of %+v, want %+v", name, want.Event.ID, got.Object, want.Object)
		}
		if all.Objects.ring.bytes != numbers.Objects.ring.bytes {
			t.Fatalf("%s: at #%d %d bytes are counted, want %d", name, want.Event.ID, numbers.Objects.ring.bytes, all.Objects.ring.bytes)
		}
	}
}
