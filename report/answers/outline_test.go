// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"os"
	"reflect"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// For keys that only need a call's entry and exit, an outline and the whole model give the same counts.
func TestAnOutlineCountsAsTheWholeDoes(t *testing.T) {
	calls := 0
	for trace := range tracetest.Files(t, "../../traces/*.pb", "../../test/cases/*.pb", "../testdata/*.pb") {
		for _, of := range measures {
			for i := range dimensions {
				by := &dimensions[i]
				if of.amount == nil || !by.known {
					continue
				}
				outline := topOf(t, trace, of.name, by.name)
				by.known = walked
				whole := topOf(t, trace, of.name, by.name)
				by.known = outlined
				if calls += outline.Keys; !reflect.DeepEqual(outline, whole) {
					t.Errorf("%s: %s by %s\n%+v, with all of the model\n%+v", trace, of.name, by.name, outline, whole)
				}
			}
		}
	}
	if calls == 0 {
		t.Error("no trace has a call")
	}
}

func topOf(t *testing.T, file, of, by string) *Top {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r, err := schema.NewReader(in, 1)
	if err != nil {
		t.Fatal(file, err)
	}
	defer r.Close()
	top, err := TopOf(r, of, by, 1000)
	if err != nil {
		t.Fatal(file, err)
	}
	return top
}
