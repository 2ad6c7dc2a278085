// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// Why a difference is none.
const (
	whyNumber  = "a name holds a process id, or a time of the run"
	whyTemp    = "a name made up for the run, as mkstemp does"
	whyKills   = "drop_caches ended other dentries, or in another order"
	whyOlder   = "one run found a dentry in the cache that is older than its recording, the other allocated it"
	whyAgain   = "one run asked the cache again and got the same answers"
	whyOrder   = "calls of different threads came in another order"
	whyFound   = "threads that came in another order found names otherwise"
	whyLost    = "events were lost there"
	whyShort   = "one run ends before it"
	whyRenamed = "the program has another name, as --rename says"
)

// younger is the projection without the walks of components that one side first met as
// a dentry older than its recording, while the other allocated it and kept it: whether
// it was cached then is no matter of the run. older: there were some.
func younger(a, b *call) (la, lb []*line, older bool) {
	ma, mb := metIn(a), metIn(b)
	out := make(map[uint64]bool)
	for name, x := range ma {
		y, ok := mb[name]
		if ok && !x.killed && !y.killed && x.made != y.made && (x.old && !x.made || y.old && !y.made) {
			out[name] = true
		}
	}
	pick := func(c *call) []*line {
		list := make([]*line, 0, len(c.lines))
		for i := range c.lines {
			if l := &c.lines[i]; !walks.Has(l.role) || !out[l.name.coarse] {
				list = append(list, l)
			}
		}
		return list
	}
	return pick(a), pick(b), len(out) > 0
}

// met is how a call met a name.
type met struct{ old, made, killed bool }

func metIn(c *call) map[uint64]met {
	by := make(map[uint64]met)
	for i := range c.lines {
		l := &c.lines[i]
		m, known := by[l.name.coarse]
		switch {
		case walks.Has(l.role):
			m.old, m.made = m.old || l.older, m.made || l.role == schema.RoleAlloc
		case l.role == schema.RoleKill && known:
			m.killed = true
		default:
			continue
		}
		by[l.name.coarse] = m
	}
	return by
}

// asksAgain reports whether two lists of lines differ only in how often, and by which
// lookup, the cache was asked for a component, the last answers being alike; a dentry
// that was allocated for it and thrown away counts as a question. One walk was
// disturbed, and how often that happens depends on what else runs.
func asksAgain(la, lb []*line) bool {
	ra, askedA := questions(la)
	rb, askedB := questions(lb)
	if len(ra) != len(rb) || len(askedA) != len(askedB) {
		return false
	}
	for i := range ra {
		if !ra[i].like(rb[i]) {
			return false
		}
	}
	fewer, more := false, false
	for name, a := range askedA {
		b, ok := askedB[name]
		if !ok || a.state != b.state || a.marks != b.marks {
			return false
		}
		fewer, more = fewer || a.times < b.times, more || a.times > b.times
	}
	return fewer != more
}

// answer is what the cache last said of a name, and how often it was asked.
type answer struct {
	state state
	marks marks
	times int
}

// questions takes the lines apart: the questions to the cache by name, and the rest.
func questions(lines []*line) (rest []*line, asked map[uint64]answer) {
	made, kept, killed := make(map[int16]bool), make(map[int16]bool), make(map[int16]bool)
	for _, l := range lines {
		switch l.role {
		case schema.RoleAlloc:
			made[l.out] = true
		case schema.RoleInsert:
			kept[l.out] = true
		case schema.RoleKill:
			killed[l.out] = true
		}
	}
	asked = make(map[uint64]answer)
	for _, l := range lines {
		thrown := made[l.out] && killed[l.out] && !kept[l.out]
		switch a := asked[l.name.coarse]; {
		case lookups.Has(l.role):
			asked[l.name.coarse] = answer{l.state, l.marks, a.times + 1}
		case thrown && (l.role == schema.RoleAlloc || ends.Has(l.role)):
			a.times++
			asked[l.name.coarse] = a
		default:
			rest = append(rest, l)
		}
	}
	return rest, asked
}

// byChance says in what two calls differ whose lines agree; empty: in nothing that
// chance explains.
func byChance(a, b *call) string {
	made := false
	for i := range min(len(a.lines), len(b.lines)) {
		for _, n := range [][2]*name{{&a.lines[i].name, &b.lines[i].name}, {&a.lines[i].detail, &b.lines[i].detail}} {
			if n[0].exact != n[1].exact && (n[0].chance|n[1].chance)&temporary == 0 {
				return whyNumber
			}
			made = made || n[0].exact != n[1].exact
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
