// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// The strings of a batch are read as they were written, whatever their lengths and wherever the message is
// cut.
func TestStringsOfABatch(t *testing.T) {
	var want []string
	for _, n := range []int{0, 1, 2, 7, 126, 127, 128, 129, 3, 500, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 0, MaxStringBytes, 5} {
		want = append(want, strings.Repeat(string(rune('a'+n%26)), n))
	}
	var body []byte
	for _, s := range want {
		body = protowire.AppendString(protowire.AppendTag(body, fieldString, protowire.BytesType), s)
	}
	for cut := range len(body) {
		var b batchReader
		if err := b.split(body[:cut]); err != nil {
			if cut%97 == 0 && !slices.Equal(b.strings, want[:len(b.strings)]) {
				t.Fatalf("cut at %d: %q", cut, b.strings)
			}
			continue
		}
		if !slices.Equal(b.strings, want[:len(b.strings)]) || len(b.strings) == len(want) {
			t.Fatalf("cut at %d: %d strings", cut, len(b.strings))
		}
	}
	var b batchReader
	if err := b.split(body); err != nil || !slices.Equal(b.strings, want) {
		t.Fatal(err, len(b.strings))
	}
	most := slices.Repeat([]byte{stringTag, 1, 'x'}, MaxTableRows+1)
	if err := b.split(most); err == nil {
		t.Error("more strings were taken than are allowed")
	}
}
