// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"strings"
	"testing"
)

// TestDoorLooksAtEveryByte checks that any byte at any place in a line comes out the same whether the
// line is written at once or byte by byte, although the filter checks many bytes at a time.
func TestDoorLooksAtEveryByte(t *testing.T) {
	for _, beside := range []string{strings.Repeat("x", 80), strings.Repeat("\n", 40), strings.Repeat("a µs\n", 20), "\x1b[31m" + strings.Repeat(" |", 40) + "\x1b[0m"} {
		for b := range 256 {
			for at := range 2 * 32 {
				p := []byte(beside)
				p[at%len(p)] = byte(b)
				whole, each := through(t, p), through(t, bytes.Split(p, nil)...)
				if whole != each {
					t.Fatalf("%q: %q together, %q one by one", p, whole, each)
				}
				if b < ' ' && b != '\n' && b != '\t' && b != 0x1b && strings.IndexByte(whole, byte(b)) >= 0 || b == 0x7f && strings.Contains(whole, "\x7f") {
					t.Fatalf("%q comes out as %q", p, whole)
				}
			}
		}
	}
}

func through(t *testing.T, pieces ...[]byte) string {
	var out bytes.Buffer
	d := &terminalFilter{w: &out}
	for _, p := range pieces {
		if _, err := d.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
