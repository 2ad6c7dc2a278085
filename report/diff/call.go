// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"hash/maphash"
	"math"
	"math/bits"
	"slices"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// call is one thing a program did, with all that came of it in the kernel: an operation on
// paths, what it looked up outside of these, a write to drop_caches.
type call struct {
	kind     kind
	comm     string
	pid, tid uint32
	lines    []line
	more     uint64 // events beyond the bound
	claims   []report.Ruling
	evicted  []uint64 // names of the dentries that drop_caches ended, as hashes
	lossy    bool     // events are missing in the time it took

	first, last uint64 // event ids
	from, to    uint64 // their times

	// While it is made.
	path    uint64   // where its path lies,
	length  uint64   // and how long it may be
	places  []uint64 // addresses of dentries in order of appearance: place n is that of places[n-1]
	entered []int    // lines entered and not left, innermost last
	over    bool     // what decided its kind has returned
}

// start makes the call one that begins at an event.
func (c *call) start(k kind, e *schema.Event) {
	c.kind, c.comm, c.pid, c.tid = k, e.Comm, e.PID, e.TID
	c.first, c.from, c.last, c.to = e.ID, e.Time, e.ID, e.Time
}

// reset makes the call ready for use again.
func (c *call) reset() {
	*c = call{lines: c.lines[:0], claims: c.claims[:0], places: c.places[:0], entered: c.entered[:0], evicted: c.evicted[:0]}
}

// place returns the number of the dentry at addr; 0: there is none.
func (c *call) place(addr uint64) int16 {
	if addr == 0 {
		return 0
	}
	for i := len(c.places) - 1; i >= 0; i-- {
		if c.places[i] == addr {
			return int16(i + 1)
		}
	}
	return c.meet(addr)
}

// meet numbers a dentry that is new to the call; those beyond the bound share a number.
func (c *call) meet(addr uint64) int16 {
	if len(c.places) < maxPlaces {
		c.places = append(c.places, addr)
	}
	return int16(len(c.places))
}

// takes reports whether an event is a matter of the call: the end of a dentry is where
// the call has met the dentry, or empties the caches.
func (c *call) takes(e *schema.Event) bool {
	return !ends.Has(e.Role) || slices.Contains(c.places, e.Dentry) || c.kind.in(evicts) && len(c.entered) > 0
}

// leave ends the innermost call entered at the id and returns its line.
func (c *call) leave(enter uint64) *line {
	for i := len(c.entered) - 1; i >= 0; i-- {
		if l := &c.lines[c.entered[i]]; l.enter == enter {
			c.entered = c.entered[:i]
			return l
		}
	}
	return nil
}

// nameAt says where a name lies: in the path, in a dentry of the call, or in another
// buffer. Where no event gives a whole path the first name looked up begins it; an alloc may
// be of a name of the kernel's own.
func (c *call) nameAt(e *schema.Event) (base, int32) {
	addr := e.NameAddr
	if addr == 0 {
		return nowhere, 0
	}
	switch whole := paths.Has(e.Role); {
	case whole && e.Name != "":
		c.path, c.length = addr, uint64(len(e.Name)) // other buffers may lie close behind
	case whole, c.path == 0 && !begins.Has(e.Role):
		c.path, c.length = addr, maxPath
	}
	if off := addr - c.path; c.path != 0 && off < c.length {
		return inPath, int32(off)
	}
	for _, dentry := range c.places {
		if off := addr - dentry; off < maxInside {
			return inDentry, int32(off)
		}
	}
	return elsewhere, 0
}

// leaves reports whether a name does not belong to the path that is being walked: it is
// neither the next component nor, before something came of it, the last one again. The
// buffer may have been used for another path since, or for the same one by another call.
func (c *call) leaves(e *schema.Event) bool {
	if e.NameAddr == 0 || c.path == 0 && !slices.ContainsFunc(c.lines, func(l line) bool { return l.base != nowhere }) {
		return false
	}
	off, made := e.NameAddr-c.path, false
	for i := len(c.lines) - 1; i >= 0; i-- {
		l := &c.lines[i]
		made = made || (inserts | makes).Has(l.role)
		if l.base != inPath {
			continue
		}
		if off == uint64(l.at) {
			return made || l.name.text != e.Name
		}
		end := uint64(l.at) + uint64(len(l.name.text))
		return off <= end || off > end+maxGap
	}
	return off >= maxPath
}

// mix is one step of a hash.
func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^v, 0x9e3779b97f4a7c15)
	return hi ^ lo ^ h<<1
}

// digest is what is kept of a finished call.
func (c *call) digest(seed maphash.Seed) digest {
	judged := uint64(0)
	for i := range c.claims {
		judged = mix(judged, hashRuling(seed, &c.claims[i]))
	}
	label := uint64(c.kind) + 1
	coarse := mix(label, c.more)
	exact := mix(coarse, judged)
	for _, name := range c.evicted {
		exact = mix(exact, name)
	}
	for i := range c.lines {
		l := &c.lines[i]
		h := mix(l.shape(), uint64(uint32(l.at))<<32|uint64(uint16(l.in))<<16|uint64(uint16(l.out)))
		if l.value != 0 || l.errno != 0 {
			h = mix(mix(h, l.value), uint64(l.errno))
		}
		exact = mix(mix(mix(exact, h), l.name.exact), l.detail.exact)
		coarse = mix(mix(mix(coarse, h), l.name.coarse), l.detail.coarse)
	}
	for l := range c.named {
		label = mix(label, l.name.coarse)
	}
	label = mix(label, c.openFlags())
	return digest{exact: exact, coarse: uint32(coarse >> 32), label: uint32(label >> 32), judged: uint32(judged >> 32), first: c.first, from: c.from,
		more: uint32(min(c.last-c.first, math.MaxUint32)), kind: c.kind, lossy: c.lossy}
}

// hashRuling is a hash of a claim as it was judged. One that is proven has no reason.
func hashRuling(seed maphash.Seed, r *report.Ruling) uint64 {
	if r.Why == nil {
		return uint64(r.Kind)<<8 | uint64(r.Verdict)
	}
	return maphash.Comparable(seed, *r)
}

// named yields the lines that say what the call is of: its paths, of a program to be run the
// first; where none is recorded the names it looked up. A walk that is made again is one.
func (c *call) named(yield func(*line) bool) {
	last, whole := uint64(0), c.hasPaths()
	for i := range c.lines {
		l := &c.lines[i]
		if c.kind.in(nameless) {
			return
		}
		if whole && !paths.Has(l.role) || !whole && l.depth > 0 || l.name.exact == 0 || l.name.exact == last {
			continue
		}
		if last = l.name.exact; !yield(l) || opens.Has(l.role) {
			return
		}
	}
}

// hasPaths reports whether the call has a line that gives a whole path.
func (c *call) hasPaths() bool {
	return slices.ContainsFunc(c.lines, func(l line) bool { return paths.Has(l.role) })
}

// lastName identifies the component the call came to: the last one in its path.
func (c *call) lastName() uint64 {
	var name uint64
	at := int32(-1)
	for i := range c.lines {
		if l := &c.lines[i]; l.base == inPath && l.at > at && !paths.Has(l.role) {
			name, at = l.name.coarse, l.at
		}
	}
	return name
}
