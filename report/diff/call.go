// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// call is one thing a program did, with all that came of it in the kernel: an operation on
// paths, what it looked up outside of these, a write to drop_caches.
type call struct {
	kind     schema.Role // of the event that decides what it is; 0: names were looked up and nothing came of it
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

	encloses bool // it is all that its thread does until it returns
}

// isOpen reports whether there is a call, and what its thread does is part of it.
func (c *call) isOpen() bool { return c != nil && c.encloses }

// start makes the call one that begins at an event; what it was before is gone.
func (c *call) start(kind schema.Role, e *schema.Event) {
	*c = call{kind: kind, comm: e.Comm, pid: e.PID, tid: e.TID, first: e.ID, from: e.Time, last: e.ID, to: e.Time,
		lines: c.lines[:0], claims: c.claims[:0], places: c.places[:0], entered: c.entered[:0], evicted: c.evicted[:0]}
}

// own returns the line of what decides the kind of the call; nil: there is none.
func (c *call) own() *line {
	if i := slices.IndexFunc(c.lines, func(l line) bool { return l.role == c.kind }); i >= 0 {
		return &c.lines[i]
	}
	return nil
}

// pathless reports whether the call was given a descriptor: of that one kernel may have events, and another none.
func (c *call) pathless() bool {
	if !c.kind.Is(schema.MayLackPath) || slices.ContainsFunc(c.lines, func(l line) bool { return l.role.Is(schema.Walks) }) {
		return false
	}
	own := c.own()
	return own != nil && c.kind.LacksPath(int(own.errno))
}

func (c *call) span() Span { return Span{c.first, c.last} }

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
	return !ends.Has(e.Role) || slices.Contains(c.places, e.Dentry) || evicts.Has(c.kind) && len(c.entered) > 0
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
func (c *call) nameAt(e *schema.Event) (flags, int32) {
	addr := e.NameAddr
	if addr == 0 {
		return 0, 0
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
	if e.NameAddr == 0 || c.path == 0 && !slices.ContainsFunc(c.lines, func(l line) bool { return l.is(inPath | inDentry | elsewhere) }) {
		return false
	}
	off, made := e.NameAddr-c.path, false
	for i := len(c.lines) - 1; i >= 0; i-- {
		l := &c.lines[i]
		made = made || (inserts | makes).Has(l.role)
		if !l.is(inPath) {
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
	for _, r := range c.claims {
		h := uint64(r.Kind)<<8 | uint64(r.Verdict) // proven: there is no reason
		if r.Why != nil {
			h = maphash.Comparable(seed, r)
		}
		judged = mix(judged, h)
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

// named yields the lines that say what the call is of: its paths, of a program to be run the
// first; where none is recorded the names it looked up. A walk that is made again is one.
func (c *call) named(yield func(*line) bool) {
	if nameless.Has(c.kind) {
		return
	}
	last, whole := uint64(0), c.hasPaths()
	for i := range c.lines {
		l := &c.lines[i]
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
func (c *call) lastName() (name uint64) {
	at := int32(-1)
	for i := range c.lines {
		if l := &c.lines[i]; l.is(inPath) && l.at > at && !paths.Has(l.role) {
			name, at = l.name.coarse, l.at
		}
	}
	return name
}

// Flags that make an open another call; their values are those of all machines that
// use include/uapi/asm-generic/fcntl.h.
const (
	oAccess = 0o3
	oCreat  = 0o100
	oExcl   = 0o200
	oTrunc  = 0o1000
)

var openFlags = []struct {
	mask, is uint64
	name     string
}{{oAccess, 1, "O_WRONLY"}, {oAccess, 2, "O_RDWR"}, {oCreat, oCreat, "O_CREAT"}, {oExcl, oExcl, "O_EXCL"}, {oTrunc, oTrunc, "O_TRUNC"}}

func (c *call) openFlags() uint64 {
	if len(c.lines) == 0 || !opens.Has(c.kind) {
		return 0
	}
	return c.lines[0].value >> 32 & (oAccess | oCreat | oExcl | oTrunc)
}

// words is what the call is of.
func (c *call) words() string {
	var names []string
	for l := range c.named {
		names = append(names, l.name.text)
	}
	if !c.hasPaths() && !nameless.Has(c.kind) { // components of one
		names = []string{strings.Join(names, "/")}
	}
	out := kindName(c.kind)
	for _, name := range names {
		out += " " + quote(name)
	}
	var flags []string // nothing for a plain open
	for _, f := range openFlags {
		if c.openFlags()&f.mask == f.is {
			flags = append(flags, f.name)
		}
	}
	return strings.TrimSuffix(out+" "+strings.Join(flags, "|"), " ")
}

// outcome is what the call came to, with the short word for it; empty: nothing else than
// what it is of.
func (c *call) outcome() (text, short string) {
	switch l := c.own(); {
	case l == nil:
	case l.errno != 0:
		return schema.ErrnoText(int(l.errno)), schema.ErrnoName(int(l.errno))
	case opens.Has(l.role) && l.is(null):
		text = "NULL"
	case l.role.Is(schema.ReturnsStatus):
		text = exitText(l.value)
	}
	return text, text
}

// title is what a call is of and came to, or came to on either side.
func title(a, b *call) string {
	ta, sa := a.outcome()
	tb, sb := b.outcome()
	switch {
	case ta != tb:
		return a.words() + ": " + cmp.Or(sa, "success") + " → " + cmp.Or(sb, "success")
	case ta != "":
		return a.words() + " → " + ta
	}
	return a.words()
}

// What the comparison knows of roles beside the catalogue. No role is named elsewhere.
var (
	asks    = replay.RolesThat(schema.Asks)                                // for a name in the cache
	begins  = replay.RolesThat(schema.Begins)                              // a dentry's life
	ends    = replay.RolesThat(schema.Ends | schema.Frees | schema.Leaves) // belong to the end of one
	kills   = replay.RolesThat(schema.Ends)
	inserts = replay.RolesOf(schema.RoleInsert)
	makes   = replay.RolesOf(schema.RoleInstantiate) // give a name an inode
	moves   = replay.RolesOf(schema.RoleMove)        // give a dentry another name
	evicts  = replay.RolesOf(schema.RoleEvict)       // empty the caches
	execs   = replay.RolesOf(schema.RoleExec)
	exits   = replay.RolesOf(schema.RoleExit)
	opens   = replay.RolesOf(schema.RoleOpen)

	walks      = asks | begins | inserts                                               // find a component or make it
	changes    = replay.Changes() | replay.RolesOf(schema.RoleUnlink)                  // change what the cache has of a name
	paths      = replay.RolesThat(schema.Walks) &^ execs                               // a path begins
	encloses   = replay.RolesWhere(func(r schema.RoleInfo) bool { return r.Op != "" }) // all that the thread does until it returns is one call
	creates    = makes | replay.RolesOf(schema.RoleMkdir, schema.RoleMknod, schema.RoleSymlink, schema.RoleLink)
	answers    = encloses&^opens | replay.RolesOf(schema.RoleUnlink)                           // return an int that says what came of it
	decides    = makes | moves | evicts | replay.RolesOf(schema.RoleDelete, schema.RoleUnlink) // outside of those: make a call what it is
	standalone = execs | exits | replay.RolesOf(schema.RoleFork)                               // are a call on their own
	nameless   = evicts | exits | replay.RolesOf(schema.RoleFork)                              // are of no name
)

// called is what calls are called by what decides them, but for operations, which have a name.
var called = [roles]string{
	0:                      "lookup",
	schema.RoleUnlink:      "unlink",
	schema.RoleMove:        "rename",
	schema.RoleInstantiate: "create", // mkdir, mknod, symlink, link
	schema.RoleDelete:      "delete", // without vfs_unlink: rmdir
	schema.RoleEvict:       "drop_caches",
	schema.RoleExec:        "exec",
	schema.RoleFork:        "fork",
	schema.RoleExit:        "exit",
}

func kindName(r schema.Role) string {
	info, _ := r.Info()
	return cmp.Or(info.Op, called[r])
}

// kindSet is a set of kinds of claim.
type kindSet uint32

func (s kindSet) has(k report.Kind) bool { return s>>k&1 != 0 }
