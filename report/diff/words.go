// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// Flags that make an open another call; their values are those of all machines that
// use include/uapi/asm-generic/fcntl.h.
const (
	oAccess = 0o3
	oCreat  = 0o100
	oExcl   = 0o200
	oTrunc  = 0o1000
)

func (c *call) openFlags() uint64 {
	if len(c.lines) == 0 || !c.kind.in(opens) {
		return 0
	}
	return c.lines[0].value >> 32 & (oAccess | oCreat | oExcl | oTrunc)
}

// words is what the call is of.
func (c *call) words() string {
	if c.kind.in(nameless) {
		return c.kind.String()
	}
	var names []string
	for l := range c.named {
		names = append(names, l.name.text)
	}
	if !c.hasPaths() { // components of one
		names = []string{strings.Join(names, "/")}
	}
	out := c.kind.String()
	for _, name := range names {
		out += " " + quote(name)
	}
	return out + flagNames(c.openFlags())
}

// outcome is what the call came to, with the short word for it; empty: nothing else than
// what it is of.
func (c *call) outcome() (text, short string) {
	i := slices.IndexFunc(c.lines, func(l line) bool { return kind(l.role) == c.kind })
	if i < 0 {
		return "", ""
	}
	switch l := &c.lines[i]; {
	case l.errno != 0:
		text = schema.ErrnoText(int(l.errno))
		return text, cmp.Or(schema.ErrnoName(int(l.errno)), text)
	case opens.Has(l.role) && l.state == null:
		return "NULL", "NULL"
	case l.role.Is(schema.ReturnsStatus):
		text = exitText(l.value)
		return text, text
	}
	return "", ""
}

// title is what the call is of and came to.
func (c *call) title() string {
	if text, _ := c.outcome(); text != "" {
		return c.words() + " → " + text
	}
	return c.words()
}

// titles is the title of a call that came to two things.
func titles(a, b *call) string {
	ta, sa := a.outcome()
	tb, sb := b.outcome()
	if ta == tb {
		return a.title()
	}
	return a.words() + ": " + cmp.Or(sa, "success") + " → " + cmp.Or(sb, "success")
}

func (c *call) span() Span { return Span{c.first, c.last} }

func (l *line) span() Span { return Span{l.enter, l.exit} }

// flagNames spells the flags of a call; nothing for a plain open.
func flagNames(flags uint64) string {
	var names []string
	for _, f := range []struct {
		mask, is uint64
		name     string
	}{{oAccess, 1, "O_WRONLY"}, {oAccess, 2, "O_RDWR"}, {oCreat, oCreat, "O_CREAT"}, {oExcl, oExcl, "O_EXCL"}, {oTrunc, oTrunc, "O_TRUNC"}} {
		if flags&f.mask == f.is {
			names = append(names, f.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " " + strings.Join(names, "|")
}

// exitText spells a wait status.
func exitText(status uint64) string {
	return strings.TrimPrefix(schema.WaitStatus(status).String(), "exit ")
}

// text spells a line out; places are numbered by of.
func (l *line) text(of func(int16) int) string {
	place := func(p int16) string { return "D" + strconv.Itoa(of(p)) }
	var b strings.Builder
	b.WriteString(strings.Repeat("  ", int(l.depth)))
	b.WriteString(l.role.Label())
	if l.name.exact != 0 {
		b.WriteString(" " + quote(l.name.text))
	}
	switch l.base {
	case inPath:
		fmt.Fprintf(&b, " path+%d", l.at)
	case inDentry:
		fmt.Fprintf(&b, " dentry+%d", l.at)
	case elsewhere:
		b.WriteString(" elsewhere")
	}
	if opens.Has(l.role) && l.form != noEntry {
		fmt.Fprintf(&b, " flags %#x mode %#o", l.value>>32, l.value&0xffffffff)
	}
	if l.in != 0 {
		b.WriteString(" in " + place(l.in))
	}
	if l.role.Is(schema.ReturnsStatus) {
		b.WriteString(" " + exitText(l.value))
	}
	l.outcome(&b, place)
	l.remarks(&b)
	return b.String()
}

// outcome spells what the line returned, or the dentry it is about.
func (l *line) outcome(b *strings.Builder, place func(int16) string) {
	arrow := " "
	if l.form == returned || l.form == noEntry {
		arrow = " → "
	}
	switch {
	case l.errno != 0:
		b.WriteString(arrow + schema.ErrnoText(int(l.errno)))
		return
	case answers.Has(l.role):
		if l.out != 0 {
			b.WriteString(" " + place(l.out))
		}
		b.WriteString(arrow + strconv.FormatUint(l.value, 10))
		return
	case l.state == null:
		b.WriteString(arrow + "NULL")
	case l.out != 0:
		b.WriteString(arrow + place(l.out))
	}
	b.WriteString([...]string{negative: " negative", positive: " positive", unread: ""}[l.state])
	switch {
	case begins.Has(l.role) && l.form == returned && uint64(l.inner) < maxInside:
		fmt.Fprintf(b, ", name at +%d", l.inner)
	case begins.Has(l.role) && l.form == returned:
		b.WriteString(", name outside")
	case moves.Has(l.role) && l.detail.text != "":
		b.WriteString(" now " + quote(l.detail.text))
	case l.detail.text != "":
		b.WriteString(" on " + replay.Printable(l.detail.text))
	}
}

// remarks spells what else is to be seen of the line.
func (l *line) remarks(b *strings.Builder) {
	if l.mount {
		b.WriteString(", mountpoint")
	}
	for k := range report.Kind(32) {
		if l.refuted.has(k) {
			b.WriteString(", " + k.String() + " refuted")
		}
	}
	if l.cut {
		b.WriteString(", name cut")
	}
	b.WriteString([...]string{event: "", returned: "", noReturn: ", no return", noEntry: ", no entry"}[l.form])
}

func rulingText(r *report.Ruling) string {
	text := "claim " + r.Kind.String() + ": " + r.Verdict.String()
	if reason := r.Reason(); reason != "" {
		text += ", " + replay.Printable(reason)
	}
	return text
}

// quote puts a name between quotes that it cannot leave.
func quote(s string) string { return `"` + strings.ReplaceAll(replay.Printable(s), `"`, `\"`) + `"` }

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
