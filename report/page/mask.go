// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
)

// masked stands for a byte of a name that means nothing.
const masked = 0x1a

// maxOdd bounds the odd names kept.
const maxOdd = 4096

// oddName is a name that a line's patterns would take for something said.
var oddName = regexp.MustCompile(`#\d|0x|[→−≠≥├└│"]|NULL|entry|return|@\d|hash|[;.,:] |[=<>]|[Oo]ffset|[fF]{2}[0-9a-fA-F]{14}|proven|refuted`)

func (x *Run) name(e *seen) {
	if e.Name != "" && len(x.odd) < maxOdd && oddName.MatchString(e.Name) {
		x.odd[replay.Printable(e.Name)] = true
	}
}

// mask hides the odd names of the run where a page shows names: in a code span, after
// " | " or "name ", and in a tree after a key or an address. Offsets stay as they are.
func (x *Run) mask() {
	var all strings.Builder
	for i := range x.page.lines {
		all.WriteString(x.page.lines[i].name + "\n")
	}
	var names []string
	for n := range x.odd {
		if strings.Contains(all.String(), n) {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	for i := range x.page.lines {
		l := &x.page.lines[i]
		for _, n := range names {
			l.text = hide(l.text, n)
		}
	}
	for i := range x.page.passages {
		x.page.passages[i].mask(x.page.lines)
	}
}

// hide replaces the name by bytes that mean nothing, where it stands as one.
func hide(text, name string) string {
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return text
		}
		at, end := from+i, from+i+len(name)
		if from = at + 1; namePlace(text[:at], text[end:], name) {
			text = text[:at] + strings.Repeat(string(rune(masked)), len(name)) + text[end:]
		}
	}
}

var (
	beforeName = regexp.MustCompile("(?:` ?|\\| |\\bname |\\) |^/ | / )$")
	afterHex   = regexp.MustCompile(`0x[0-9a-f]{9,16} $`)
	afterName  = regexp.MustCompile("^(?: ?`|$| → | #|,| / )")
)

// namePlace reports whether a name stands between the two texts. After an address,
// where ids stand too, one that begins as they do is a name only if an id or a result
// follows: an O_TMPFILE file is called "#25".
func namePlace(before, after, name string) bool {
	if !afterName.MatchString(after) {
		return false
	}
	return beforeName.MatchString(before) || afterHex.MatchString(before) && (!strings.HasPrefix(name, "#") || strings.HasPrefix(after, " #") || strings.HasPrefix(after, " → "))
}
