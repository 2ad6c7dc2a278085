// SPDX-License-Identifier: Apache-2.0

package shown

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTextsAreShown checks that a Text contains nothing but what every terminal shows, whatever string
// from outside is added.
func TestTextsAreShown(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		holds(t, string(r))
	}
	for b := range 256 {
		holds(t, "a"+string([]byte{byte(b)}))
		holds(t, string([]byte{byte(b), 0xe2, 0x80}))
	}
}

func FuzzTextsAreShown(f *testing.F) {
	f.Add("a\x1b[2J\u202e\xff\U000e0041 b")
	f.Fuzz(holds)
}

func holds(t *testing.T, s string) {
	var text Text
	text.Name(s)
	text.NameFitting(s, 2)
	text.NameFitting(s, 12)
	text.Quoted(s)
	text.Word(s)
	text.HexBytes(s)
	if n := Run(text.b); n != len(text.b) {
		t.Fatalf("of %q comes %q, of which %d bytes are shown", s, text.b, n)
	}
	if through := AppendEscaped(nil, []byte(s)); Run(through) != len(through) || Run([]byte(s)) == len(s) && string(through) != s {
		t.Fatalf("%q is escaped as %q", s, through)
	}
}

// TestNumbers checks that numbers are printed as package fmt prints them, whatever is written before
// them and whatever room there is.
func TestNumbers(t *testing.T) {
	values := []uint64{0, 1, 9, 10, 99, 100, 101, 999_999_999, 1e9, 1<<32 - 1, 1 << 60, 1<<60 - 1, math.MaxInt64, math.MaxUint64}
	for p := uint64(1); p < 1e19; p *= 10 {
		values = append(values, p-1, p, p+1, 7*p)
	}
	for _, v := range values {
		var text Text
		text.Uint(v)
		for _, add := range []func(){
			func() { text.Int(int64(v)) }, func() { text.Padded(v, 12) }, func() { text.ID(v, 8) }, func() { text.Hex(v) },
			func() { text.Pointer(v) }, func() { text.QuotedHex(v) }, func() { text.Seconds(v, 6) }, func() { text.Octal(v) }, func() { text.Digits(v, 6) },
		} {
			text.Put("\n")
			add()
		}
		want := fmt.Sprintf("%d\n%d\n%12d\n%8s\n%#x\n%#016x\n\"%#x\"\n%6d.%09d\n0%o\n%06d", v, int64(v), v, fmt.Sprint("#", v), v, v, v, v/1e9, v%1e9, v, v%1e6)
		want = strings.Replace(want, fmt.Sprintf("%#016x", v), fmt.Sprintf("0x%016x", v), 1)
		if text.String() != want {
			t.Errorf("%d is\n%s, want\n%s", v, &text, want)
		}
	}
	text := Of("id 0000, 000000, 000000000")
	text.SetTwo(5, 42)
	text.SetSix(9, 1234)
	if text.SetNine(17, 987654321); text.String() != "id 0042, 001234, 987654321" {
		t.Error(text.String())
	}
}

// TestJoin joins texts of every length to texts of every capacity.
func TestJoin(t *testing.T) {
	for room := range 3 * blockLimit {
		var text Text
		text.MakeRoom(room)
		var want []byte
		for n := range 2 * blockLimit {
			part := bytes.Repeat([]byte{'a' + byte(n%26)}, n)
			whole, cut := Word(string(part)), Text{part[:n:n]}
			text.Join(&whole)
			text.Join(&cut)
			want = append(append(want, part...), part...)
		}
		if text.String() != string(want) {
			t.Fatalf("with room for %d: %s", room, &text)
		}
	}
}

// TestRunes checks that colors are not counted as characters.
func TestRunes(t *testing.T) {
	text := Of("ab ")
	text.Join(&Alarm)
	text.Name("größer")
	if text.Join(&Plain); text.Runes(0) != 9 || text.Runes(3) != 6 {
		t.Error(text.Runes(0), text.Runes(3))
	}
}
