// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
)

// place is what a path or a name led to.
type place struct {
	path  string
	seq   uint64
	inode uint64
	errno int
}

// places counts what calls led to, in the order met.
type places struct {
	at    map[place]*placed
	order []*placed
	more  uint64 // calls that led to places beyond the bound
}

type placed struct {
	place
	fs          string
	first, last uint64
	at, n       uint64
}

// maxPlaces bounds the places counted one by one.
const maxPlaces = 64

// maxOwn bounds the calls on a path that are remembered to have been.
const maxOwn = 1 << 14

func (p *places) add(c *replay.PathCall) {
	if c.End == 0 {
		return
	}
	key := place{c.Resolved, 0, c.Inode, c.Errno}
	if c.Dentry != nil {
		key.seq = c.Dentry.Seq
	}
	x := p.at[key]
	if x == nil {
		if len(p.order) >= maxPlaces {
			p.more++
			return
		}
		x = &placed{place: key, first: c.ID, at: c.At, fs: c.FSType}
		p.at[key] = x
		p.order = append(p.order, x)
	}
	x.n++
	x.last = c.ID
}

// sections lists the places; empty where there is none.
func (p *places) sections(title string) []Section {
	var l lines
	for _, x := range p.order {
		to := errnoName(x.errno) + " at " + replay.PrintablePath(x.path)
		if x.errno == 0 {
			to = fmt.Sprintf("D%d %s", x.seq, replay.PrintablePath(x.path))
			if x.inode != 0 {
				to += fmt.Sprintf(", inode %#x", x.inode)
			}
			if x.fs != "" {
				to += " on " + replay.Printable(x.fs)
			}
		}
		if x.n > 1 {
			to += fmt.Sprintf(", %s until #%d", times(x.n), x.last)
		}
		l.add(x.first, x.at, "%s", to)
	}
	if l.total == 0 {
		return nil
	}
	if p.more > 0 {
		l.add(0, 0, "and %s to more places", plural.Of(p.more, "call"))
	}
	return []Section{l.section(title)}
}

// absent are stretches of dentries without inode.
type absent struct{ lines }

func (l *absent) add(n *replay.Negative) {
	if n.Fate == replay.FateMade {
		return
	}
	text := fmt.Sprintf("D%d %s without inode, born by %s of %s/%d", n.Dentry.Seq, replay.PrintablePath(replay.InDir(n.Dir, n.Name)), n.Birth,
		replay.Printable(n.Program), n.PID)
	if n.Call != 0 {
		text += fmt.Sprintf(" in %s #%d", n.Operation, n.Call)
	}
	if text += ", answered " + plural.Of(n.Hits, "lookup") + ": " + n.Fate.String(); n.End != 0 {
		text += fmt.Sprintf(" at #%d by %s", n.End, replay.Printable(n.EndBy))
	}
	if n.Evict != 0 {
		text += fmt.Sprintf(", in drop_caches #%d", n.Evict)
	}
	l.lines.add(n.Born, n.BornAt, "%s", text)
}

func (l *absent) sections(title string) []Section {
	if l.total == 0 {
		return nil
	}
	return []Section{l.section(title)}
}

// given reports whether a string is the one given: as it is, or as it is printed.
func given(word, s string) bool {
	return s == word || strings.Contains(word, `\`) && s == replay.Unescape(word)
}

// pathOf shows a path: every call on it, what it led to, lookups of it on the way of others,
// and its dentries without inode.
func pathOf(path string) *inquiry {
	var calls, claims lines
	var gone absent
	led, asked := places{at: make(map[place]*placed)}, newAsks()
	base, own := baseOf(replay.Unescape(path)), make(map[uint64]bool)
	return &inquiry{
		call: func(m *replay.Model, c *replay.PathCall) {
			of := given(path, c.Path) || given(path, c.Resolved)
			if of || c.Target != "" && (given(path, c.Target) || given(path, c.ResolvedTarget)) {
				calls.add(c.ID, c.At, "%s", callLine(c))
				if of {
					led.add(c)
				}
				if len(own) < maxOwn {
					own[c.ID] = true
				}
				return
			}
			for i := range c.Components {
				if p := &c.Components[i]; p.Name == base && (given(path, p.Path) || given(path, replay.InDir(m.PathAt(p.Parent), p.Name))) {
					asked.add(m, c, i)
				}
			}
		},
		negative: func(n *replay.Negative) {
			if given(path, replay.InDir(n.Dir, n.Name)) || n.Name == base && own[n.Call] {
				gone.add(n)
			}
		},
		claim: func(c *report.Claim) {
			if given(path, c.Subject) {
				addClaim(&claims, c)
			}
		},
		sections: func() (out []Section) {
			shown := replay.Printable(replay.Unescape(path))
			if calls.total > 0 {
				out = append(out, calls.section(plural.Of(calls.total, "call")+" on "+shown))
			}
			out = append(out, led.sections("what they led to")...)
			out = append(out, asked.sections("lookups of it for other paths")...)
			out = append(out, gone.sections("dentries of it without inode")...)
			return append(out, claimed(&claims)...)
		},
	}
}

// nameOf shows a name: the calls on it, where it was asked for, its dentries without inode, and claims.
func nameOf(name string) *inquiry {
	var calls, claims lines
	var gone absent
	asked := newAsks()
	return &inquiry{
		call: func(m *replay.Model, c *replay.PathCall) {
			if given(name, baseOf(c.Path)) || given(name, baseOf(c.Target)) {
				calls.add(c.ID, c.At, "%s", callLine(c))
			}
			for i := range c.Components {
				if given(name, c.Components[i].Name) {
					asked.add(m, c, i)
				}
			}
		},
		negative: func(n *replay.Negative) {
			if given(name, n.Name) {
				gone.add(n)
			}
		},
		claim: func(c *report.Claim) {
			if given(name, baseOf(c.Subject)) {
				addClaim(&claims, c)
			}
		},
		sections: func() (out []Section) {
			shown := replay.Printable(replay.Unescape(name))
			if calls.total > 0 {
				out = append(out, calls.section(plural.Of(calls.total, "call")+" on paths that end in "+shown))
			}
			out = append(out, asked.sections("lookups of "+shown)...)
			out = append(out, gone.sections("dentries of that name without inode")...)
			return append(out, claimed(&claims)...)
		},
	}
}

// asks are lookups of a name, those alike together.
type asks struct {
	at    map[asked]*askedLine
	order []*askedLine
	more  uint64
}

// asked is lookups in one directory by one program, with one answer.
type asked struct{ dir, program, what string }

type askedLine struct {
	asked
	first, last uint64
	at, n       uint64
}

func newAsks() *asks { return &asks{at: make(map[asked]*askedLine)} }

// add adds the i-th component of a call.
func (a *asks) add(m *replay.Model, c *replay.PathCall, i int) {
	p := &c.Components[i]
	what := p.Found.String()
	if p.Negative {
		what += ", without inode"
	}
	if i == len(c.Components)-1 && c.Failed() {
		what += "; " + errnoName(c.Errno)
	}
	key := asked{m.PathAt(p.Parent), c.Program, what}
	x := a.at[key]
	if x == nil {
		if len(a.order) >= maxPlaces {
			a.more++
			return
		}
		x = &askedLine{asked: key, first: p.ID, at: c.At}
		a.at[key] = x
		a.order = append(a.order, x)
	}
	x.n++
	x.last = p.ID
}

func (a *asks) sections(title string) []Section {
	var l lines
	for _, x := range a.order {
		text := fmt.Sprintf("in %s by %s: %s", replay.PrintablePath(x.dir), replay.Printable(x.program), x.what)
		if x.n > 1 {
			text += fmt.Sprintf(", %s until #%d", times(x.n), x.last)
		}
		l.add(x.first, x.at, "%s", text)
	}
	if l.total == 0 {
		return nil
	}
	if a.more > 0 {
		l.add(0, 0, "and %s otherwise", times(a.more))
	}
	return []Section{l.section(title)}
}

func claimed(claims *lines) []Section {
	if claims.total == 0 {
		return nil
	}
	return []Section{claims.section("claims about it")}
}

// addClaim adds a claim as a line, but for one that a single event proves.
func addClaim(to *lines, c *report.Claim) {
	if c.Verdict == report.Proven && c.Kind.Alone() {
		return
	}
	text := c.Verdict.String() + " " + c.Kind.String() + ": " + c.Says(replay.Printable)
	if c.Verdict != report.Proven {
		text += ": " + c.Reason()
	}
	id := c.Left.Event
	if len(c.Terms) > 0 {
		id = c.Terms[0].Event
	}
	to.add(id, 0, "%s", text)
}
