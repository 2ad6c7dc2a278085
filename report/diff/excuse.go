// SPDX-License-Identifier: Apache-2.0

package diff

import "github.com/dtrec/dtrec/schema"

// Why a difference is none.
const (
	whyOlder = "one run found a dentry in the cache that is older than its recording, the other allocated it"
	whyAgain = "one run asked the cache again and got the same answers"
	whyOrder = "calls of different threads came in another order"
	whyFound = "threads that came in another order found names otherwise"
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
// which lookup, the cache was asked for a component, the last answers being alike;
// a dentry that was allocated for it and thrown away counts as a question. One walk
// was disturbed, and how often that happens depends on what else runs.
func asksAgain(sa, sb []*step) bool {
	ra, askedA := questions(sa)
	rb, askedB := questions(sb)
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
	marks mark
	times int
}

// questions takes the steps apart: the questions to the cache by name, and the rest.
func questions(steps []*step) (rest []*step, asked map[uint64]answer) {
	thrown := make(map[int16]bool) // allocated and killed, never inserted
	for _, st := range steps {
		if st.role == schema.RoleAlloc || st.role == schema.RoleInsert {
			thrown[st.out] = false
		} else if _, made := thrown[st.out]; made && st.role == schema.RoleKill {
			thrown[st.out] = true
		}
	}
	for _, st := range steps {
		if st.role == schema.RoleInsert {
			delete(thrown, st.out)
		}
	}
	asked = make(map[uint64]answer)
	for _, st := range steps {
		switch a := asked[st.hash.folded]; {
		case isLookup(st.role):
			asked[st.hash.folded] = answer{st.state, st.marks, a.times + 1}
		case thrown[st.out] && (st.role == schema.RoleAlloc || isEnd(st.role)):
			a.times++
			asked[st.hash.folded] = a
		default:
			rest = append(rest, st)
		}
	}
	return rest, asked
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
