// SPDX-License-Identifier: Apache-2.0

package diff

import "github.com/dtrec/dtrec/schema"

// Why a difference is none.
const (
	whyOlder = "one run found a dentry in the cache that is older than its recording, the other allocated it"
	whyAgain = "one run asked the cache again and got the same answers"
	whyOrder = "calls of different threads came in another order"
	whyLost  = "events were lost there"
	whyShort = "one run ends before it"
)

// inWalk reports whether a step belongs to finding a component or making it.
func inWalk(r schema.Role) bool {
	return isLookup(r) || r == schema.RoleAlloc || r == schema.RoleInsert
}

// younger returns the steps of two units without the walks of components that one
// side first met as a dentry older than its recording, while the other allocated
// it and kept it: whether it was cached then is no matter of the run. older: there
// were some.
func (c *comparison) younger(a, b *unit) (sa, sb []*step, older bool) {
	type met struct{ old, made, killed bool }
	look := func(u *unit) map[uint64]met {
		by := make(map[uint64]met)
		for i := range u.steps {
			if st := &u.steps[i]; inWalk(st.role) {
				m := by[st.hash.folded]
				m.old = m.old || st.older
				m.made = m.made || st.role == schema.RoleAlloc
				by[st.hash.folded] = m
			} else if m, ok := by[st.hash.folded]; ok && st.role == schema.RoleKill {
				m.killed = true
				by[st.hash.folded] = m
			}
		}
		return by
	}
	ma, mb := look(a), look(b)
	out := make(map[uint64]bool)
	for name, x := range ma {
		if y, ok := mb[name]; ok && !x.killed && !y.killed && x.made != y.made && (x.old && !x.made || y.old && !y.made) {
			out[name] = true
		}
	}
	pick := func(u *unit) []*step {
		list := make([]*step, 0, len(u.steps))
		for i := range u.steps {
			if st := &u.steps[i]; !inWalk(st.role) || !out[st.hash.folded] {
				list = append(list, st)
			}
		}
		return list
	}
	return pick(a), pick(b), len(out) > 0
}

// asksAgain reports whether two lists of steps differ only in how often, and by
// which lookup, the cache was asked for a component, the last answers being alike:
// one walk was disturbed and fell back. How often that happens depends on what else
// runs.
func asksAgain(sa, sb []*step) bool {
	type answer struct {
		state state
		marks mark
	}
	strip := func(steps []*step) (rest []*step, asked map[uint64]int, last map[uint64]answer) {
		asked, last = make(map[uint64]int), make(map[uint64]answer)
		for _, st := range steps {
			if isLookup(st.role) {
				asked[st.hash.folded]++
				last[st.hash.folded] = answer{st.state, st.marks}
			} else {
				rest = append(rest, st)
			}
		}
		return rest, asked, last
	}
	ra, askedA, lastA := strip(sa)
	rb, askedB, lastB := strip(sb)
	if len(ra) != len(rb) || len(askedA) != len(askedB) {
		return false
	}
	for i := range ra {
		if !ra[i].like(rb[i]) {
			return false
		}
	}
	fewerA, fewerB := 0, 0
	for name, n := range askedA {
		if lastA[name] != lastB[name] || askedB[name] == 0 {
			return false
		}
		fewerA += int(flag(n < askedB[name]))
		fewerB += int(flag(n > askedB[name]))
	}
	return fewerA+fewerB > 0 && (fewerA == 0 || fewerB == 0)
}

// excuse counts a difference that is none.
func (c *comparison) excuse(why string, at Pair) {
	for i := range c.result.Excused {
		if e := &c.result.Excused[i]; e.Why == why {
			e.Count++
			return
		}
	}
	c.result.Excused = append(c.result.Excused, Excuse{why, 1, at})
}
