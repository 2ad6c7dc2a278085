// SPDX-License-Identifier: Apache-2.0

package md

import (
	"errors"
	"strings"
	"testing"
)

// Text on a page reads as intended, and is nothing but text.
func TestWhatAPageIsMadeOf(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Code("a.txt"), "`a.txt`"},
		{Code("a`b"), "``a`b``"},
		{Code("<b>{{x}}"), "`\\x3cb>\\x7b{x}}`"},
		{Code("a<5"), "`a\\x3c5`"},
		{Code("[x](y)"), "`\\x5bx]\\x28y)`"},
		{Code("x[1](y)"), "`x[1]\\x28y)`"},
		{Cell("a|b"), "`a\\x7cb`"},
		{Text("a_b _c_ *d*"), "a_b \\_c\\_ \\*d\\*"},
		{Text("#17 # a#b"), "#17 \\# a\\#b"},
		{Text("<i>&{{"), "&lt;i\\>&amp;&#123;&#123;"},
		{Text("http://e www.e a@b"), "http&#58;//e www&#46;e a&#64;b"},
		{Element(`6.12 "<b>`), "6.12 &#34;&lt;b&#62;"},
		{Block("a {{ b }} \x1b <i>"), "a {\\x7b b }} \\x1b <i>"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s, want %s", tt.got, tt.want)
		}
	}
	var b strings.Builder
	w := NewWriter(&b)
	w.Line("## %s, %d < %d: %v, %s", "<script>", 1, 2, errors.New("[a](b)\n{% c %}"), Code("d"))
	w.Fence("", []string{"```", "x"})
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "## &lt;script>, 1 < 2: [a]&#40;b)\\n&#123;% c %}, `d`\n````\n```\nx\n````\n"; b.String() != want {
		t.Errorf("wrote\n%s, want\n%s", b.String(), want)
	}
}

// A part that does not fit is not written, and takes no room.
func TestAPartHasRoomOrIsNotThere(t *testing.T) {
	var b strings.Builder
	w := NewWriter(&b)
	room := 10
	line := func(s string) func() { return func() { w.Line("%s", s) } }
	for _, tt := range []struct {
		line string
		fits bool
		left int
	}{{"four", true, 5}, {"six 66", false, 5}, {"4444", true, 0}, {"", false, 0}} {
		if fits := w.Try(&room, line(tt.line)); fits != tt.fits || room != tt.left {
			t.Errorf("%q: %v with %d left", tt.line, fits, room)
		}
	}
	outer := 100
	if w.Try(&outer, func() { line("a")(); inner := 1; w.Try(&inner, line("bb")); line("c")() }); outer != 96 {
		t.Errorf("%d bytes are left", outer)
	}
	tight := 3
	if w.Try(&tight, func() { line("a")(); inner := 100; w.Try(&inner, line("long")); line("b")() }) {
		t.Error("a part around a large one has room")
	}
	loose := 7
	if !w.Try(&loose, func() {
		line("a")()
		inner := 4
		w.Try(&inner, line("too long"))
		w.Size(line("measured alone"))
		line("b")()
	}) || loose != 3 {
		t.Errorf("a part around one without room, and one that is measured, has none, or %d bytes are left", loose)
	}
	whole := w.Size(func() { line("12345")(); outer := 3; w.Try(&outer, func() { line("6")(); line("7")() }) })
	if whole != 6 {
		t.Errorf("a part of 6 bytes has %d", whole)
	}
	if n := w.Size(func() {
		for range 100_000 {
			line("1")()
		}
	}); n != 200_000 {
		t.Errorf("a large part has %d bytes", n)
	}
	if err := w.Flush(); err != nil || b.String() != "four\n4444\na\nc\na\nb\n" {
		t.Errorf("%v, wrote %q", err, b.String())
	}
}
