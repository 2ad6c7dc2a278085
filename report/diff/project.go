// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"slices"
)

// Why a difference is none.
const (
	whyNumber = "a name holds a process id, an inode number, or a time of the run"
	whyTemp   = "a name made up for the run, as mkstemp does"
	whyKills  = "drop_caches ended other dentries, or in another order"
	whyOlder  = "one run found a dentry in the cache that is older than its recording, the other allocated it"
	whyAgain  = "one run asked the cache again and got the same answers"
	whyOrder  = "calls of different threads came in another order"
	whyFound  = "threads that came in another order found names otherwise"
	whyLost   = "events were lost there"
	whyShort  = "one run ends before it"
)

// met is how a call met one name in the cache.
type met struct {
	older        bool // first as a dentry that is older than the recording
	made, killed bool // allocated and kept; killed
	last         answer
	times        int // the cache was asked, and a dentry allocated in vain
}

// answer is what the cache said of a name.
type answer struct {
	state      state
	mount, cut bool
	refuted    kindSet
}

// metIn is how a call met every name, by hash.
func metIn(c *call) map[uint64]met {
	by := make(map[uint64]met)
	for i := range c.lines {
		l := &c.lines[i]
		m, known := by[l.name.coarse]
		switch {
		case asks.Has(l.role):
			m.times, m.last = m.times+1, answer{l.state, l.mount, l.cut, l.refuted}
		case begins.Has(l.role) && c.thrown(l):
			m.times++
		case begins.Has(l.role):
			m.made = true
		case kills.Has(l.role) && known:
			m.killed = m.killed || !c.thrown(l)
		case !inserts.Has(l.role):
			continue
		}
		m.older = m.older || l.older
		by[l.name.coarse] = m
	}
	return by
}

// thrown reports whether a line is about a dentry that the call allocated and killed
// without inserting it.
func (c *call) thrown(l *line) bool {
	var made, kept, killed bool
	for i := range c.lines {
		if m := &c.lines[i]; m.out == l.out {
			made, kept, killed = made || begins.Has(m.role), kept || inserts.Has(m.role), killed || kills.Has(m.role)
		}
	}
	return made && killed && !kept
}

// projected returns the lines of two calls without those in which they differ by chance,
// name by name, and why they do; empty: they do not.
//
//  1. One side first met a dentry older than its recording, while the other allocated it
//     and kept it: whether it was cached then is no matter of the run.
//  2. On one kernel, the cache was asked more often, or by another lookup, and the last
//     answers are alike: one walk was disturbed, and how often that happens depends on
//     what else runs.
func (c *comparison) projected(a, b *call) (la, lb []*line, why string) {
	ma, mb := metIn(a), metIn(b)
	found, asked := make(map[uint64]bool), make(map[uint64]bool)
	for name, x := range ma {
		y, both := mb[name]
		switch {
		case !both:
		case !x.killed && !y.killed && x.made != y.made && (x.older && !x.made || y.older && !y.made):
			found[name], why = true, whyOlder
		case c.sameKernel && x.times != y.times && x.last == y.last && x.made == y.made:
			asked[name] = true
			why = cmp.Or(why, whyAgain)
		}
	}
	rest := func(c *call) (list []*line) {
		for i := range c.lines {
			l := &c.lines[i]
			switch name := l.name.coarse; {
			case found[name] && walks.Has(l.role):
			case asked[name] && (asks.Has(l.role) || (begins.Has(l.role) || ends.Has(l.role)) && c.thrown(l)):
			default:
				list = append(list, l)
			}
		}
		return list
	}
	return rest(a), rest(b), why
}

// byChance says in what two calls differ whose lines agree; empty: in nothing that
// chance explains.
func byChance(a, b *call) string {
	made := false
	for i := range min(len(a.lines), len(b.lines)) {
		for _, n := range [][2]*name{{&a.lines[i].name, &b.lines[i].name}, {&a.lines[i].detail, &b.lines[i].detail}} {
			switch {
			case n[0].exact == n[1].exact:
			case n[0].temporary || n[1].temporary:
				made = true
			default:
				return whyNumber
			}
		}
	}
	switch {
	case made:
		return whyTemp
	case !slices.Equal(a.swept, b.swept):
		return whyKills
	}
	return ""
}
