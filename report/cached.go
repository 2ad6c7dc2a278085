// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Cached Kind = 16

var _ = register(func() kind {
	return kind{
		number: Cached,
		name:   "cached",
		says:   "the cache had a dentry for every component looked up, and none was allocated: no i_op->lookup was called",
		// All lookup roles are needed to know that nothing was looked up elsewhere. The alloc is needed
		// because i_op->lookup is given a dentry that was allocated for it in the same walk.
		needs: lookups | replay.RolesOf(schema.RoleAlloc),
		walks: true,
		open: func(v *view) {
			if v.w.nests || v.w.allocates() || !v.answered() {
				return
			}
			v.at = whole(v.enter.Time, v.exit.Time)
			v.judge()
		},
		shows: []operand{{show: func(v *view) {
			for i := range v.rows {
				v.shown(&v.rows[i].at.ev)
			}
		}}},
		fails: []test{
			when(TooManyEvents, func(v *view) bool { return v.w.overflow }),
			when(CutName, func(v *view) bool { return v.enter.NameCut() }),
		},
		fill: func(v *view, cl *Claim) { cl.Means = v.enter.Name[:v.lookedUp()] },
		tell: func(cl *Claim, q func(string) string) string {
			return fmt.Sprintf("the cache answered every component of %s, and nothing was allocated, so no i_op->lookup was called: %s", q(cl.Means), oneByOne(cl.Terms))
		},
	}
})

// lookedUp returns how many bytes of the path were looked up: all of them, or those up to the end of the
// component at which the walk stopped.
func (v *view) lookedUp() int {
	path, end := v.enter.Name, 0
	for i := range v.rows {
		end = max(end, min(v.rows[i].end, len(path)))
	}
	if name, _ := skipped(path, end, len(path)); name != "" {
		return end
	}
	return len(path)
}

// answered reports whether a lookup found a dentry for every component that was looked up, and no later
// lookup of the same name returned NULL.
func (c *collector) answered() bool {
	for i := range c.rows {
		if r := &c.rows[i]; r.result == nil || !r.at.ev.Role.Is(schema.TraitLooksUp) {
			return false
		}
	}
	return len(c.rows) > 0 && (c.tail.lookup == nil || c.tail.result != nil)
}
