// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"slices"
)

// slot is an address that a dentry has, or had.
type slot struct {
	addr   uint64
	here   *Object // nil: none that is known
	former Former  // before that
}

// nearSlots are few, so that they stay in the processor's cache.
const nearSlots = 1 << 10

func (o *Objects) nearest(addr uint64) **slot {
	return &o.near[addr*0x9e3779b97f4a7c15>>(64-10)]
}

// slot returns that of an address, nil where no dentry is known to have been there.
func (o *Objects) slot(addr uint64) *slot {
	near := o.nearest(addr)
	if p := *near; p != nil && p.addr == addr {
		return p
	}
	p := o.at[addr]
	if p != nil {
		*near = p
	}
	return p
}

// find returns the dentry at an address, nil where none is known.
func (o *Objects) find(addr uint64) *Object {
	if p := o.slot(addr); p != nil {
		return p.here
	}
	return nil
}

// Live calls f for every dentry seen that has not ended.
func (o *Objects) Live(f func(*Object)) {
	for _, p := range o.at {
		if p.here != nil && !p.here.Ended() {
			f(p.here)
		}
	}
}

// each calls f for every dentry known, in their order.
func (o *Objects) each(f func(*Object)) {
	var known []*Object
	for _, p := range o.at {
		if p.here != nil {
			known = append(known, p.here)
		}
	}
	slices.SortFunc(known, func(a, b *Object) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, d := range known {
		f(d)
	}
}

// forgetFormer forgets what was at each address before.
func (o *Objects) forgetFormer() {
	o.formers = 0
	for _, p := range o.at {
		if p.former = (Former{}); p.here == nil {
			o.release(p)
		}
	}
}

// release forgets an address of which nothing is known any more.
func (o *Objects) release(p *slot) {
	delete(o.at, p.addr)
	if near := o.nearest(p.addr); *near == p {
		*near = nil
	}
}
