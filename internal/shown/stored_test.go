// SPDX-License-Identifier: Apache-2.0

package shown

import (
	"testing"
	"unicode/utf8"
)

// What is stored is UTF-8, is the text itself where that is, and can be told from an escape that was in the text.
func TestStored(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "cat": "cat", "naïve �": "naïve �", `\n \\`: `\n \\`, `\x41`: `\x41`,
		"a\xffb": `a\xffb`, "\xc3": `\xc3`, `\xff`: `\x5cxff`, `\x5c`: `\x5cx5c`, "\\\xff": `\\xff`, `\\xff`: `\\x5cxff`, "\\x\xff": `\x\xff`,
	} {
		got := Stored(s)
		if got != want || !utf8.ValidString(got) {
			t.Errorf("%q is stored as %q, want %q", s, got, want)
		}
		if back := FromStored(got); back != s {
			t.Errorf("%q came back as %q", s, back)
		}
	}
}
