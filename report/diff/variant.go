// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// variant is two units of one label that are not the same.
type variant struct {
	p    *program
	a, b *unit
	gap  int
}

// maxVariants is how many variants wait to be looked into: in the order of time,
// whatever the program, since one follows from another.
const maxVariants = 4096

// vary takes a variant.
func (c *comparison) vary(v variant) {
	if c.variants = append(c.variants, v); len(c.variants) >= maxVariants {
		c.lookInto(maxVariants / 2)
	}
}

// lookInto tells the first n of the variants that wait.
func (c *comparison) lookInto(n int) {
	slices.SortStableFunc(c.variants, func(x, y variant) int { return cmp.Compare(x.a.from, y.a.from) })
	for _, v := range c.variants[:n] {
		c.look(v)
		c.sides[0].recycle(v.a)
		c.sides[1].recycle(v.b)
	}
	c.variants = slices.Delete(c.variants, 0, n)
}

func (c *comparison) look(v variant) {
	f := c.compare(v.a, v.b)
	v.a.spell()
	at := Pair{v.p.comm, v.a.words, v.a.span(), v.b.span()}
	switch {
	case f.none():
		c.result.Same++
	case f.excuse != "":
		c.result.Same++
		c.excuse(f.excuse, at)
	case v.a.lossy || v.b.lossy, f.changed() == 0 && c.lostBefore(v):
		c.excuse(whyLost, at)
	default:
		c.tell(v, &f, at)
	}
}

// lostBefore reports whether a run lost events before a variant: a claim may rest on
// what was lost.
func (c *comparison) lostBefore(v variant) bool {
	return c.sides[0].lossy(0, v.a.to) || c.sides[1].lossy(0, v.b.to)
}

// upset is when an earlier difference first changed what the cache has of a name,
// on each side; 0: never.
type upset [2]uint64

// maxUpset bounds the names remembered as changed by a difference.
const maxUpset = 1 << 16

// used tells the names a call used from those it changed: whether the end of a
// dentry is looked at depends on who has used it.
const used = 0x75736564

// upsets takes down the names whose dentries a call on one side only has changed or
// used: what later calls find of them follows from it.
func (c *comparison) upsets(side int, u *unit) {
	for i := range u.steps {
		st := &u.steps[i]
		c.upset1(side, st.hash.folded^used, u.from)
		if changes(st.role) {
			c.upset1(side, st.hash.folded, u.from)
		}
	}
	for _, name := range u.swept {
		c.upset1(side, name, u.from)
	}
}

func (c *comparison) upset1(side int, name, at uint64) {
	w, ok := c.upset[name]
	if !ok && len(c.upset) >= maxUpset {
		return
	}
	if w[side] == 0 || at < w[side] {
		w[side] = at
		c.upset[name] = w
	}
}

// changes reports whether a step changes what the cache has of its name.
func changes(r schema.Role) bool {
	switch r {
	case schema.RoleAlloc, schema.RoleInsert, schema.RoleInstantiate, schema.RoleDelete, schema.RoleDrop,
		schema.RoleKill, schema.RoleMove, schema.RoleUnlink:
		return true
	}
	return false
}

// disturbs takes down the names that the two sides of a difference have changed
// otherwise.
func (c *comparison) disturbs(v variant, f *finding) {
	for i := range f.edits {
		if e := &f.edits[i]; e.op == '-' && changes(e.a.role) {
			c.upset1(0, e.a.hash.folded, v.a.from)
		} else if e.op == '+' && changes(e.b.role) {
			c.upset1(1, e.b.hash.folded, v.b.from)
		}
	}
}

// follows reports whether all that a finding changes is about names that an earlier
// difference has changed.
func (c *comparison) follows(v variant, f *finding, last uint64) bool {
	for i := range f.edits {
		st := f.edits[i].a
		if f.edits[i].op == ' ' {
			continue
		} else if st == nil {
			st = f.edits[i].b
		}
		name := st.hash.folded
		if st.role == schema.RoleOpen {
			name = last
		}
		if !c.upset[name].before(v) && !(isEnd(st.role) && c.upset[name^used].before(v)) {
			return false
		}
	}
	if f.changed() == 0 { // claims alone: they look back at what was done to the name
		return c.upset[last].before(v) || c.upset[last^used].before(v)
	}
	return true
}

// before reports whether a name was changed before a variant was met.
func (w upset) before(v variant) bool {
	return w[0] != 0 && w[0] < v.a.from || w[1] != 0 && w[1] < v.b.from
}
