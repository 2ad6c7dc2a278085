// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/text/unicode/norm"
)

// Names that look alike on a screen, or cannot be seen.
var lookAlikes = []string{
	"", " ", "  ", "a b", "a  b", "a b ", " a b", "a\tb", "a\u00a0b", "a\u2003b", "a\u3000b",
	"résumé.txt", "re\u0301sume\u0301.txt", "zero", "ze\u200bro", "zero\r", "ze\u034fro", "zero\ufe0f", "ze\u00adro", "ze\u2060ro",
	"\u202eorez", "zero\u2028", "caf\xe9", "café", `caf\xe9`, `caf\\xe9`, "new\nline", `new\nline`, "K", "\u212a", "Å", "\u212b", "A\u030a",
	"한", "\u1112\u1161\u11ab", "\u3164", "\u115f", "\uffa0", "\u2800", "a", "ａ", "ﬁ", "fi", "²", "2", "\U000e0041", "\ufffd", "\xff", "\xef\xbf",
}

func TestNamesThatDifferPrintDifferently(t *testing.T) {
	seen := make(map[string]string)
	for _, name := range lookAlikes {
		printed := Printable(name)
		screen := norm.NFKC.String(printed)
		if other, ok := seen[screen]; ok {
			t.Errorf("%q and %q are both shown as %s", name, other, screen)
		}
		seen[screen] = name
		holds(t, name)
	}
	for _, c := range []struct{ name, printed string }{
		{"re\u0301sume\u0301.txt", `re\u0301sume\u0301.txt`},
		{"trailing ", `trailing\x20`},
		{"two  blanks", `two\x20\x20blanks`},
		{"größer als отчёт, 報告, ファイル", "größer als отчёт, 報告, ファイル"},
		{`"quoted"`, `"quoted"`},
		{`c:\n`, `c:\\n`},
	} {
		if got := Printable(c.name); got != c.printed {
			t.Errorf("%q is printed as %s", c.name, got)
		}
	}
}

// holds checks what Printable promises for any name.
func holds(t *testing.T, name string) {
	printed := Printable(name)
	if got := Unescape(printed); got != name {
		t.Errorf("%q is printed as %s, which is %q", name, printed, got)
	}
	var added, inJSON shown.Text
	added.Put("x")
	if added.Name(name); added.String() != "x"+printed {
		t.Errorf("%q is added otherwise than %s", name, printed)
	}
	inJSON.Quoted(name)
	if quoted := inJSON.String(); utf8.ValidString(name) {
		var back string
		if err := json.Unmarshal([]byte(quoted), &back); err != nil || back != name || Unescape(quoted[1:len(quoted)-1]) != name {
			t.Errorf("%q is %s in JSON, which is %q, %v", name, quoted, back, err)
		}
	}
	hidden := func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsMark(r) }
	if !utf8.ValidString(printed) || strings.ContainsFunc(printed, hidden) || !norm.NFKC.IsNormalString(printed) ||
		strings.TrimSpace(printed) != printed || strings.Contains(printed, "  ") {
		t.Errorf("%q is printed as %q", name, printed)
	}
}

// A filter accepts a name as it was printed, so it would match both of two names that print alike.
func FuzzPrintedNamesAreAccepted(f *testing.F) {
	for _, name := range lookAlikes {
		f.Add(name)
	}
	f.Fuzz(holds)
}

// Each character, alone and between others.
func TestEveryCharacterPrintsApart(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if c := string(r); utf8.ValidRune(r) {
			holds(t, c)
			holds(t, "a"+c+"b")
		}
	}
}

// JSON escapes a name in another way.
func TestUnescape(t *testing.T) {
	for _, c := range []struct{ given, name string }{
		{`/tmp/zero\u000d`, "/tmp/zero\r"},
		{`a\"b`, `a"b`},
		{`a"b`, `a"b`},
		{`c:\q\`, `c:\q\`},
		{"\xff\\xff", "\xff\xff"},
	} {
		if got := Unescape(c.given); got != c.name {
			t.Errorf("%s is taken for %q", c.given, got)
		}
	}
}

// What was not UTF-8 is escaped in the file, and is not escaped again when printed.
func TestStoredTextIsEscapedOnce(t *testing.T) {
	i := &Info{
		Header:   &schema.Header{Command: []string{"cat", `\xff`, `\x5cxff`}, Target: `tasks named "\xff"`},
		Programs: []*schema.Program{{Name: `\xfe`}},
	}
	var out strings.Builder
	if err := i.WriteText(&out, "run.pb"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`cat $'\xff' $'\\xff'`, `tasks named "\xff"`, `  \xfe  `} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}
