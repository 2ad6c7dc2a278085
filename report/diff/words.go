// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"fmt"
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
	return c.lines[0].value >> 32 & (oAccess | oCreat | oExcl | oTrunc)
}

// words is what the call is of.
func (c *call) words() string {
	switch c.kind {
	case dropping, forking, exiting:
		return c.kind.String()
	case opening:
		return c.kind.String() + " " + quote(c.lines[0].name.text) + flagNames(c.openFlags())
	}
	var parts []string
	for i := range c.lines {
		l := &c.lines[i]
		if l.depth == 0 && l.name.exact != 0 && (len(parts) == 0 || parts[len(parts)-1] != l.name.text) {
			parts = append(parts, l.name.text)
		}
	}
	return c.kind.String() + " " + quote(strings.Join(parts, "/"))
}

// outcome is what the call came to; empty: nothing else than what it is of.
func (c *call) outcome() string {
	if len(c.lines) == 0 {
		return ""
	}
	switch l := &c.lines[0]; {
	case c.kind == opening && l.errno != 0:
		return errnoText(l.errno)
	case c.kind == opening && l.state == null:
		return "NULL"
	case c.kind == exiting:
		return exitText(l.value)
	}
	return ""
}

// title is what the call is of and came to.
func (c *call) title() string {
	if o := c.outcome(); o != "" {
		return c.words() + " → " + o
	}
	return c.words()
}

// titles is the title of a call that came to two things.
func titles(a, b *call) string {
	oa, ob := a.outcome(), b.outcome()
	if oa == ob || a.kind != opening {
		return a.title()
	}
	short := func(c *call, o string) string {
		if o == "" {
			return "success"
		} else if name := schema.ErrnoName(int(c.lines[0].errno)); name != "" {
			return name
		}
		return o
	}
	return a.words() + ": " + short(a, oa) + " → " + short(b, ob)
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
	if l.role == schema.RoleOpen && l.form != tail {
		fmt.Fprintf(&b, " flags %#x mode %#o", l.value>>32, l.value&0xffffffff)
	}
	if l.in != 0 {
		b.WriteString(" in " + place(l.in))
	}
	if l.role == schema.RoleExit {
		b.WriteString(" " + exitText(l.value))
	}
	l.outcome(&b, place)
	l.remarks(&b)
	return b.String()
}

// outcome spells what the line returned, or the dentry it is about.
func (l *line) outcome(b *strings.Builder, place func(int16) string) {
	arrow := " "
	if l.form == whole || l.form == tail {
		arrow = " → "
	}
	switch {
	case l.errno != 0:
		b.WriteString(arrow + errnoText(l.errno))
		return
	case l.role == schema.RoleUnlink:
		b.WriteString(" " + place(l.out) + arrow + strconv.FormatUint(l.value, 10))
		return
	case l.state == null:
		b.WriteString(arrow + "NULL")
	case l.out != 0:
		b.WriteString(arrow + place(l.out))
	}
	switch l.state {
	case negative:
		b.WriteString(" negative")
	case positive:
		b.WriteString(" positive")
	}
	switch {
	case l.role == schema.RoleAlloc && l.form == whole && uint64(l.inner) < maxInside:
		fmt.Fprintf(b, ", name at +%d", l.inner)
	case l.role == schema.RoleAlloc && l.form == whole:
		b.WriteString(", name outside")
	case l.role == schema.RoleMove && l.detail.text != "":
		b.WriteString(" now " + quote(l.detail.text))
	case l.detail.text != "":
		b.WriteString(" on " + replay.Printable(l.detail.text))
	}
}

// remarks spells what else is to be seen of the line.
func (l *line) remarks(b *strings.Builder) {
	for i, text := range [...]string{"mountpoint", "hash refuted", "bucket refuted", "storage refuted", "name cut"} {
		if l.marks>>i&1 != 0 {
			b.WriteString(", " + text)
		}
	}
	b.WriteString([...]string{event: "", whole: "", torn: ", no return", tail: ", no entry"}[l.form])
}

func errnoText(n int32) string {
	if name := schema.ErrnoName(int(n)); name != "" {
		return "−" + strconv.Itoa(int(n)) + " (" + name + ")"
	}
	return "−" + strconv.Itoa(int(n))
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
