// SPDX-License-Identifier: Apache-2.0

package diff

// maxTouched bounds the names remembered as changed by a difference.
const maxTouched = 1 << 16

// used tells the names a call used from those it changed: claims look back at either.
const used = 0x75736564

// touch takes down the names that a call on one side only has changed or used: what
// later calls find of them follows from it.
func (c *comparison) touch(side int, u *call) {
	for _, name := range u.evicted {
		c.touchName(side, name, u.first)
	}
	for i := range u.lines {
		l := &u.lines[i]
		c.touchName(side, l.name.coarse^used, u.first)
		if changes.Has(l.role) {
			c.touchName(side, l.name.coarse, u.first)
		}
	}
}

func (c *comparison) touchName(side int, name, at uint64) {
	w, ok := c.touched[name]
	if !ok && len(c.touched) >= maxTouched {
		return
	}
	if w[side] == 0 || at < w[side] {
		w[side] = at
		c.touched[name] = w
	}
}

// follows reports whether all that a hunk changes is about names that an earlier
// difference has changed. last is the name the call came to.
func (c *comparison) follows(p *pairing, h *hunk, last uint64) bool {
	before := func(name uint64) bool {
		w := c.touched[name]
		return w[0] != 0 && (p.moved || w[0] < p.of[0].first) || w[1] != 0 && (p.moved || w[1] < p.of[1].first)
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
