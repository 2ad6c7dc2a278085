// SPDX-License-Identifier: Apache-2.0

package html

import (
	"bytes"
	"testing"
)

// The page of a trace is the same each time it is made.
func TestSamePageAgain(t *testing.T) {
	trace, first := sample(t, "../../traces/run1.pb"), []byte(nil)
	for range 8 {
		var out bytes.Buffer
		if err := Write(&out, "run1.pb", opener(trace)); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = out.Bytes()
		}
		if !bytes.Equal(out.Bytes(), first) {
			t.Fatal("the page differs from that before")
		}
	}
}
