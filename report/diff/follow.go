// SPDX-License-Identifier: Apache-2.0

package diff

// upset is when a difference first changed what the cache has of a name, on each side;
// 0: never.
type upset [2]uint64

// maxUpset bounds the names remembered as changed by a difference.
const maxUpset = 1 << 16

// used tells the names a call used from those it changed: claims look back at either.
const used = 0x75736564

// upsets takes down the names that a call on one side only has changed or used: what
// later calls find of them follows from it.
func (c *comparison) upsets(side int, u *call) {
	for _, name := range u.swept {
		c.upsetName(side, name, u.from)
	}
	for i := range u.lines {
		l := &u.lines[i]
		c.upsetName(side, l.name.coarse^used, u.from)
		if changes.Has(l.role) {
			c.upsetName(side, l.name.coarse, u.from)
		}
	}
}

func (c *comparison) upsetName(side int, name, at uint64) {
	w, ok := c.upset[name]
	if !ok && len(c.upset) >= maxUpset {
		return
	}
	if w[side] == 0 || at < w[side] {
		w[side] = at
		c.upset[name] = w
	}
}

// follows reports whether all that a hunk changes is about names that an earlier
// difference has changed. last is the name the call came to.
func (c *comparison) follows(p couple, h *hunk, last uint64) bool {
	before := func(name uint64) bool {
		w := c.upset[name]
		return w[0] != 0 && (p.moved || w[0] < p.a.from) || w[1] != 0 && (p.moved || w[1] < p.b.from)
	}
	if h.changed() == 0 { // claims alone: they look back at what was done to the name
		return before(last) || before(last^used)
	}
	for _, e := range h.edits {
		l := e.a
		if e.op == ' ' {
			continue
		} else if l == nil {
			l = e.b
		}
		name := l.name.coarse
		if paths.Has(l.role) {
			name = last
		}
		if !before(name) {
			return false
		}
	}
	return true
}

// unfollowed excuses what follows from calls that turned out to be elsewhere: with no
// difference left, it follows from the order of threads.
func (c *comparison) unfollowed() {
	r := c.result
	if len(c.differences) > 0 || r.Omitted > 0 || len(r.Follows) == 0 {
		return
	}
	n := uint64(len(r.Follows)) + r.FollowsMore
	r.Same += n
	r.Excused = append(r.Excused, Excuse{Why: whyFound, Count: n, First: r.Follows[0]})
	r.Follows, r.FollowsMore = nil, 0
}
