// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// place is where a call on a path or a name led.
type place struct {
	path  string
	seq   uint64
	inode uint64
	errno int
}

// maxOwn bounds the calls on a path whose ids are remembered.
const maxOwn = 1 << 14

// led counts where a call led.
func led(to *alike[place], c *replay.PathCall) {
	if c.End == 0 {
		return
	}
	key := place{c.Resolved, 0, c.Inode, c.Errno}
	if c.Dentry != nil {
		key.seq = c.Dentry.Seq
	}
	to.add(key, c.ID, c.At, func() string {
		if key.errno != 0 || key.seq == 0 {
			text := "ok"
			if key.errno != 0 {
				text = schema.ErrnoName(key.errno)
			}
			if key.path != "" { // otherwise no component was looked up
				text += " at " + replay.PrintablePath(key.path)
			}
			return text
		}
		text := fmt.Sprintf("D%d %s", key.seq, replay.PrintablePath(key.path))
		if key.inode != 0 {
			text += fmt.Sprintf(", inode %#x", key.inode)
		}
		if c.FSType != "" {
			text += " on " + replay.Printable(c.FSType)
		}
		return text
	})
}

// asked is the key for lookups of a name in one directory, by one program and with one answer.
type asked struct{ dir, program, what string }

// ask counts the lookup of the i-th component of a call.
func ask(to *alike[asked], m *replay.Model, c *replay.PathCall, i int) {
	p := &c.Components[i]
	what := p.Found.String()
	if p.Negative {
		what += ", without inode"
	}
	if i == len(c.Components)-1 && c.Failed() {
		what += "; " + schema.ErrnoName(c.Errno)
	}
	key := asked{m.PathAt(p.Parent), c.Program, what}
	to.add(key, p.ID, p.At, func() string {
		return fmt.Sprintf("in %s by %s: %s", replay.PrintablePath(key.dir), replay.Printable(key.program), key.what)
	})
}

// mentions collects what is known of a path or a name.
type mentions struct {
	calls, claims lines
	led           alike[place]
	asked         alike[asked]
	gone          alike[span]
}

// span is the key for times in which a dentry was negative.
type span struct {
	path, program, operation, ended, by string
	birth                               replay.Birth
	hits, evict                         uint64
}

// absent counts one span of time in which a dentry was negative, unless the call that looked it up then made
// the file.
func (x *mentions) absent(n *replay.Negative) {
	if n.Fate == replay.FateMade {
		return
	}
	key := span{replay.InDir(n.Dir, n.Name), n.Program, n.Operation, became(n), n.EndBy, n.Birth, n.Hits, n.Evict}
	x.gone.add(key, n.Born, n.BornAt, func() string { return absence(n) })
}

func absence(n *replay.Negative) string {
	text := fmt.Sprintf("D%d %s without inode, born by %s of %s", n.Dentry.Seq, replay.PrintablePath(replay.InDir(n.Dir, n.Name)), n.Birth,
		process(n.Program, n.PID))
	if n.Call != 0 {
		text += fmt.Sprintf(" in %s #%d", n.Operation, n.Call)
	}
	if text += ", answered " + plural.Of(n.Hits, "lookup") + ": " + became(n); n.End != 0 {
		text += fmt.Sprintf(" at #%d by %s", n.End, replay.Printable(n.EndBy))
	}
	if n.Evict != 0 {
		text += fmt.Sprintf(", in drop_caches #%d", n.Evict)
	}
	return text
}

// became says what became of a negative dentry.
func became(n *replay.Negative) string {
	switch d := n.Dentry; {
	case n.Fate != replay.FateUnknown:
		return n.Fate.String()
	case d.Unwatched != 0:
		return fmt.Sprintf("what became of it is not known: the watch set had no room for it at #%d", d.Unwatched)
	case d.Forgotten:
		return "what became of it is not remembered"
	case d.KillMissed != 0:
		return fmt.Sprintf("its end was not recorded; by #%d its memory was another dentry's", d.KillMissed)
	}
	return "what became of it is not known: events are missing"
}

// sections lists everything collected. The arguments complete the titles for the calls, the lookups and the
// negative dentries.
func (x *mentions) sections(calls, asked, gone string) []Section {
	out := x.calls.begun().sections(plural.Of(x.calls.total, "call") + " on " + calls)
	again := func(n uint64) string { return ", " + times(n) }
	out = append(out, x.led.sections("what they led to", again, func(n uint64) string { return plural.Of(n, "call") + " to more places" })...)
	out = append(out, x.asked.sections(asked, again, func(n uint64) string { return times(n) + " with other outcomes" })...)
	others := func(n uint64) string { return fmt.Sprintf("; %d more like it", n-1) }
	out = append(out, x.gone.sections(gone, others, func(n uint64) string { return fmt.Sprintf("%d more, unlike these", n) })...)
	return append(out, x.claims.sections("claims about it")...)
}

// given reports whether s is the word that was given, either literally or in the escaped form that dtrec
// prints.
func given(word, s string) bool {
	return s == word || strings.Contains(word, `\`) && s == replay.Unescape(word)
}

// holder is a dentry with an inode that had the path, as shown by a call on it.
type holder struct {
	dentry *replay.Object
	id, at uint64 // first event that shows this, and its time
	moved  uint64 // id of the rename that gave it the path; 0: it had the path before
	inode  uint64 // address of the inode that it was last seen with
	files  int    // how many it was seen with in turn: a name deleted and made again may keep its dentry
}

// holders lists the dentries that had one path, in the order of their events.
type holders struct {
	of    []holder
	more  uint64 // number of holders beyond maxAlike
	model *replay.Model
}

// add takes in that a call showed the dentry with an inode at the path, or that a rename brought it there.
func (h *holders) add(d *replay.Object, inode, id, at, moved uint64) {
	for i := range h.of {
		if x := &h.of[i]; x.dentry == d && moved == 0 {
			if x.inode != inode {
				x.inode = inode
				x.files++
			}
			return
		}
	}
	if len(h.of) < maxAlike {
		h.of = append(h.of, holder{d, id, at, moved, inode, 1})
	} else {
		h.more++
	}
}

// shownBy returns the event of a call that showed its dentry with an inode, and its time: the lookup that found
// it, or the return if the call gave it its inode.
func shownBy(c *replay.PathCall) (id, at uint64) {
	for i := range c.Components {
		if p := &c.Components[i]; p.Dentry == c.Dentry && !p.Negative && p.Found != replay.FoundMiss {
			return p.ID, p.At
		}
	}
	return c.End, c.At + c.Took
}

// targetOf returns the dentry of the last component of a call's second path; nil if that is not known.
func targetOf(c *replay.PathCall) *replay.Object {
	if n := len(c.Components); n > 0 && c.Components[n-1].OfTarget {
		return c.Components[n-1].Dentry
	}
	return nil
}

// sections says what became of each holder.
func (h *holders) sections(path string) []Section {
	var l lines
	for _, x := range h.of {
		d := x.dentry
		text := fmt.Sprintf("D%d had it", d.Seq)
		if x.moved != 0 {
			text = fmt.Sprintf("D%d got it by rename #%d", d.Seq, x.moved)
		}
		if x.files > 1 {
			text += fmt.Sprintf(", with %d inodes in turn", x.files)
		}
		switch {
		case d.Forgotten:
			text += "; what became of it is not remembered"
		case d.Ended():
			text += fmt.Sprintf("; killed at #%d", d.Killed)
		case d.Killed != 0:
			text += fmt.Sprintf("; killed at #%d, if nobody took it again", d.Killed)
		case d.Deleted > x.id:
			text += fmt.Sprintf("; deleted at #%d", d.Deleted)
		case d.Moved > x.id:
			text += fmt.Sprintf("; moved, or another moved to its place, last at #%d", d.Moved)
		case d.Dropped > x.id:
			text += fmt.Sprintf("; taken out of the hash table at #%d", d.Dropped)
		default: // a directory above may have moved
			text += "; at " + replay.PrintablePath(h.model.Path(d)) + " by the last event that shows its place"
		}
		l.add(x.id, x.at, "%s", text)
	}
	if h.more > 0 {
		l.add(0, 0, "and %d more", h.more)
	}
	return l.sections("dentries with an inode that had " + path)
}

// pathOf shows a path: every call on it, where those led, lookups of it on the way to other paths, and the
// dentries that had it.
func pathOf(path string) *inquiry {
	var x mentions
	var had holders
	if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
		path = trimmed
	}
	base, own := baseOf(replay.Unescape(path)), make(map[uint64]bool)
	return &inquiry{
		call: func(m *replay.Model, c *replay.PathCall) {
			of := given(path, c.Path) || given(path, c.Resolved) || given(path, askedAt(m, c))
			if of || c.Target != "" && (given(path, c.Target) || given(path, c.ResolvedTarget)) {
				x.calls.add(c.ID, c.At, "%s", callLine(c))
				if of {
					led(&x.led, c)
				}
				had.model = m
				switch d := c.Dentry; {
				case d == nil || c.Failed() || c.End == 0:
				case c.Operation == "link" && given(path, c.ResolvedTarget):
					if made := targetOf(c); made != nil && made.Inode != 0 {
						had.add(made, made.Inode, c.End, c.At+c.Took, 0)
					}
				case c.ResolvedTarget != "" && movedIn(c, d):
					if given(path, c.ResolvedTarget) {
						had.add(d, c.Inode, d.Moved, c.At+c.Took, c.ID)
					}
				case c.Inode != 0 && given(path, c.Resolved):
					id, at := shownBy(c)
					had.add(d, c.Inode, id, at, 0)
				}
				if len(own) < maxOwn {
					own[c.ID] = true
				}
				return
			}
			for i := range c.Components {
				if p := &c.Components[i]; p.Name == base && (given(path, p.Path) || given(path, replay.InDir(m.PathAt(p.Parent), p.Name))) {
					ask(&x.asked, m, c, i)
				}
			}
		},
		negative: func(n *replay.Negative) {
			if given(path, replay.InDir(n.Dir, n.Name)) || n.Name == base && own[n.Call] {
				x.absent(n)
			}
		},
		claim: func(c *report.Claim) {
			if given(path, c.Subject) {
				addClaim(&x.claims, c)
			}
		},
		sections: func() []Section {
			shown := replay.Printable(replay.Unescape(path))
			return append(had.sections(shown), x.sections(shown, "lookups of it for other paths", "dentries of it without inode")...)
		},
	}
}

// askedAt returns the path at which the last component of the call's path was looked up, whatever directory
// the path was relative to, and wherever a link found there led. It is empty if the walk did not get that
// far.
func askedAt(m *replay.Model, c *replay.PathCall) string {
	names := 0
	for name := range strings.SplitSeq(c.Path, "/") {
		if name != "" && name != "." && name != ".." { // these are not looked up
			names++
		}
	}
	for i := range c.Components {
		p := &c.Components[i]
		if p.OffPath || p.OfTarget {
			continue
		}
		if names--; names == 0 && p.Name == baseOf(c.Path) {
			return replay.InDir(m.PathAt(p.Parent), p.Name)
		}
	}
	return ""
}

// nameOf shows a name: the calls on paths that end in it, where it was looked up, its negative dentries,
// and claims.
func nameOf(name string) *inquiry {
	var x mentions
	return &inquiry{
		call: func(m *replay.Model, c *replay.PathCall) {
			if given(name, baseOf(c.Path)) || given(name, baseOf(c.Target)) {
				x.calls.add(c.ID, c.At, "%s", callLine(c))
			}
			for i := range c.Components {
				if given(name, c.Components[i].Name) {
					ask(&x.asked, m, c, i)
				}
			}
		},
		negative: func(n *replay.Negative) {
			if given(name, n.Name) {
				x.absent(n)
			}
		},
		claim: func(c *report.Claim) {
			if given(name, baseOf(c.Subject)) {
				addClaim(&x.claims, c)
			}
		},
		sections: func() []Section {
			shown := replay.Printable(replay.Unescape(name))
			return x.sections("paths that end in "+shown, "lookups of "+shown, "dentries of that name without inode")
		},
	}
}

// addClaim adds a line for a claim, unless a single event proves it.
func addClaim(to *lines, c *report.Claim) {
	if c.Verdict == report.Proven && c.Kind.Alone() {
		return
	}
	text := c.Verdict.String() + " " + c.Kind.String()
	if says := c.Says(replay.Printable); says != "" {
		text += ": " + says
	}
	if c.Verdict != report.Proven {
		text += ": " + c.Reason()
	}
	id := c.Left.Event
	if len(c.Terms) > 0 {
		id = c.Terms[0].Event
	}
	to.add(id, 0, "%s", text)
}
