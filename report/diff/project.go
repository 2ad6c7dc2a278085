// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"slices"
)

// projection excuses variations by hiding lines about a name, if it applies to how the two calls used the
// name in the cache. Calls that differ, but agree under projections, count as the same; the reason is
// counted and reported.
type projection struct {
	why     string
	applies func(c *comparison, x, y *cacheUse) bool
	hides   func(c *call, l *line) bool
	refuted bool // if it hides lines, only refuted claims count,
	onBoth  bool // or those of a kind that both calls have
}

// Reasons why a variation is not a difference.
const (
	whyNumber      = "a name holds a process id, an inode number, or a time of the run"
	whyTemp        = "a name made up for the run, as mkstemp does"
	whyKills       = "drop_caches ended other dentries, or in another order"
	whyOlder       = "one run found a dentry in the cache that is older than its recording, the other allocated it"
	whyAgain       = "one run asked the cache again and got the same answers"
	whyTwice       = "a name was looked up once or twice, and the walks that would tell are not in both runs"
	whyOrder       = "calls of different threads came in another order"
	whyListed      = "names of a directory that the program had opened came in another order"
	whyConsequence = "another call that differs, or came in another order, had to do with the same name"
	whyFound       = "threads that came in another order found names in another state"
	whyLost        = "events were lost there"
	whyFull        = "the watch set was full: the end of a dentry, and what others did to it, may not be recorded"
	whyShort       = "one run ends before it"
)

// projections lists all projections. The first one that applies to a name is used.
var projections = []projection{
	{
		// One side first saw a dentry older than its recording, and the other side allocated and kept it.
		// Whether it was cached before does not depend on the run.
		why: whyOlder,
		applies: func(_ *comparison, x, y *cacheUse) bool {
			return !x.killed && !y.killed && x.made != y.made && (x.older && !x.made || y.older && !y.made)
		},
		hides:   func(_ *call, l *line) bool { return walks.Has(l.role) },
		refuted: true,
	},
	{
		// On the same kernel, the cache was asked more often or by another lookup, and the last answers are
		// equal: one walk was disturbed, and how often that happens depends on what else runs.
		why: whyAgain,
		applies: func(c *comparison, x, y *cacheUse) bool {
			return c.sameKernel && x.times != y.times && x.last == y.last && x.made == y.made
		},
		hides: func(c *call, l *line) bool {
			return asks.Has(l.role) || (begins|ends).Has(l.role) && c.discarded(l)
		},
		onBoth: true,
	},
}

// projected returns the lines of two calls that no projection hides, and the first projection that hides
// some; nil if none does.
func (c *comparison) projected(a, b *call) (la, lb []*line, under *projection) {
	ma, mb := cacheUses(a), cacheUses(b)
	hidden := make(map[uint64]*projection) // by name: the projection that hides lines about it
	for i := range projections {
		p := &projections[i]
		for name, x := range ma {
			if y := mb[name]; y != nil && hidden[name] == nil && p.applies(c, x, y) {
				hidden[name], under = p, cmp.Or(under, p)
			}
		}
	}
	rest := func(u *call) (list []*line) {
		for i := range u.lines {
			l := &u.lines[i]
			if p := hidden[l.name.coarse]; p == nil || !p.hides(u, l) {
				list = append(list, l)
			}
		}
		return list
	}
	return rest(a), rest(b), under
}

// byChance returns the reason why two calls whose lines agree count as the same; empty if nothing varies.
func byChance(a, b *call, under *projection) string {
	var numbers, temps bool // kinds of variation in names
	for i := range min(len(a.lines), len(b.lines)) {
		x, y := &a.lines[i], &b.lines[i]
		for _, n := range [][2]*name{{&x.name, &y.name}, {&x.detail, &y.detail}} {
			differ, temporary := n[0].exact != n[1].exact, n[0].temporary || n[1].temporary
			numbers, temps = numbers || differ && !temporary, temps || differ && temporary
		}
	}
	switch {
	case under != nil:
		return under.why
	case numbers:
		return whyNumber
	case temps:
		return whyTemp
	case !slices.Equal(a.evicted, b.evicted):
		return whyKills
	}
	return ""
}

// cacheUse describes how a call used one name in the cache.
type cacheUse struct {
	older        bool   // it first saw a dentry that is older than the recording
	made, killed bool   // a dentry was allocated and kept; a dentry was killed
	last         uint64 // last answer of the cache
	times        int    // number of lookups in the cache and of dentries allocated in vain
}

// cacheUses returns how a call used every name, by coarse hash of the name.
func cacheUses(c *call) map[uint64]*cacheUse {
	by := make(map[uint64]*cacheUse)
	for i := range c.lines {
		l := &c.lines[i]
		m := cmp.Or(by[l.name.coarse], &cacheUse{})
		switch {
		case asks.Has(l.role):
			m.times, m.last = m.times+1, uint64(l.flags&(state|mount|cut))<<32|uint64(l.refuted)
		case begins.Has(l.role) && c.discarded(l):
			m.times++
		case begins.Has(l.role):
			m.made = true
		case kills.Has(l.role) && by[l.name.coarse] != nil:
			m.killed = m.killed || !c.discarded(l)
		case !inserts.Has(l.role):
			continue
		}
		m.older = m.older || l.older
		by[l.name.coarse] = m
	}
	return by
}

// discarded reports whether a line is about a dentry that the call allocated and killed without inserting
// it. That it killed one that it did not insert may not be recorded where dentries could not be watched.
func (c *call) discarded(l *line) bool {
	var made, kept, killed bool
	for i := range c.lines {
		if m := &c.lines[i]; m.out == l.out {
			made, kept, killed = made || begins.Has(m.role), kept || inserts.Has(m.role), killed || kills.Has(m.role)
		}
	}
	return made && (killed || c.unwatched) && !kept
}
