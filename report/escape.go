// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"

	"github.com/dtrec/dtrec/replay"
)

// code puts a name into a Markdown code span that the name cannot leave: what is
// not printable is escaped, and the fence is longer than any run of backticks in it.
func code(name string) string {
	s := replay.Printable(name)
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	if s == "" || s[0] == '`' || s[len(s)-1] == '`' || s[0] == ' ' {
		s = " " + s + " "
	}
	return fence + s + fence
}

// fenced puts lines into a code block that they cannot end.
func fenced(language string, lines []string) string {
	longest := 2
	for i, l := range lines {
		lines[i] = printableLine(l)
		longest = max(longest, longestRun(l, '`'))
	}
	fence := strings.Repeat("`", longest+1)
	return fence + language + "\n" + strings.Join(lines, "\n") + "\n" + fence + "\n"
}

// printableLine is printable for a line of a code block, where a backslash stands
// for itself: it is source code or a tree whose names are escaped already.
func printableLine(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return strings.ReplaceAll(replay.Printable(s), `\\`, `\`)
		}
	}
	return strings.ToValidUTF8(s, "�")
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// text makes a name safe in running Markdown text, a heading or a table cell.
func text(s string) string {
	var b strings.Builder
	s = replay.Printable(s)
	for i, r := range s {
		if strings.ContainsRune("\\`*[]<>#!|&~", r) || r == '_' && !within(s, i) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// within reports whether the byte at i stands between two letters or digits, where
// an underscore emphasises nothing.
func within(s string, i int) bool {
	return i > 0 && i+1 < len(s) && alphanumeric(s[i-1]) && alphanumeric(s[i+1])
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
