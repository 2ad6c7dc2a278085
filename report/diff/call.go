// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// call is one thing that a program did, with everything that happened in the kernel because of it: an
// operation on paths, lookups outside operations, or a write to drop_caches.
type call struct {
	digest   // its hashes are set by sum
	comm     string
	pid, tid uint32
	to       uint64 // time of its last event
	lines    []line
	more     uint64 // number of lines beyond maxLines
	claims   []report.Ruling
	// At its end there may be dentries that could not be watched; set only where it is compared line by line.
	unwatched bool
	evicted   []uint64 // hashes of the names of the dentries that drop_caches ended

	// Used only while the call is built.
	path    uint64   // address of its path,
	length  uint64   // and its length, or the longest it can be, in bytes
	places  []uint64 // addresses of dentries in order of appearance: place n has address places[n-1]
	entered []int    // indexes of lines that have not returned, innermost last

	encloses bool // it contains all that its thread does until it returns
}

// isOpen reports whether a call is in progress that contains everything its thread does.
func (c *call) isOpen() bool { return c != nil && c.encloses }

// start resets c to a call that begins at an event.
func (c *call) start(kind schema.Role, e *schema.Event) {
	*c = call{digest: digest{kind: kind, first: e.ID, from: e.Time}, comm: e.Comm, pid: e.PID, tid: e.TID, to: e.Time,
		lines: c.lines[:0], claims: c.claims[:0], places: c.places[:0], entered: c.entered[:0], evicted: c.evicted[:0]}
}

// own returns the line of the event that decides the kind of the call, or nil.
func (c *call) own() *line {
	if i := slices.IndexFunc(c.lines, func(l line) bool { return l.role == c.kind }); i >= 0 {
		return &c.lines[i]
	}
	return nil
}

// pathless reports whether the call was given only a file descriptor. Some kernels have events of such
// calls and others do not.
func (c *call) pathless() bool {
	if !c.kind.Is(schema.TraitMayLackPath) || slices.ContainsFunc(c.lines, func(l line) bool { return l.role.Is(schema.TraitWalks) }) {
		return false
	}
	own := c.own()
	return own != nil && c.kind.LacksPath(int(own.errno))
}

// place returns the number of the dentry at addr, or 0 if addr is 0.
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

// meet gives a new dentry its number; dentries beyond maxPlaces share one.
func (c *call) meet(addr uint64) int16 {
	if len(c.places) < maxPlaces {
		c.places = append(c.places, addr)
	}
	return int16(len(c.places))
}

// takes reports whether an event belongs to the call. The end of a dentry does only if the call has a place
// for the dentry, or is emptying the caches.
func (c *call) takes(e *schema.Event) bool {
	return !ends.Has(e.Role) || slices.Contains(c.places, e.Dentry) || evicts.Has(c.kind) && len(c.entered) > 0
}

// leave ends the kernel call entered at the event with the given id and returns its line; nil if there is
// none.
func (c *call) leave(enter uint64) *line {
	for i := len(c.entered) - 1; i >= 0; i-- {
		if l := &c.lines[c.entered[i]]; l.enter == enter {
			c.entered = c.entered[:i]
			return l
		}
	}
	return nil
}

// nameAt says where a name lies: in the path, in a dentry of the call, or in another buffer, and at which
// offset. If no event gives the whole path, the first name looked up is taken as its start, but not the
// name of an alloc, which may be the kernel's own.
func (c *call) nameAt(e *schema.Event) (flags, int32) {
	addr := e.NameAddr
	if addr == 0 {
		return 0, 0
	}
	whole := paths.Has(e.Role)
	switch {
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

// leaves reports whether a name that is looked up does not continue the path that is being walked: it is
// neither the next component nor, unless something has been made of it, the last one again. The buffer may
// by now hold another path, or be used for the same path by another call.
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

// mix is one step of the hash in digest.
func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^v, 0x9e3779b97f4a7c15)
	return hi ^ lo ^ h<<1
}

// sum sets the hashes of a finished call.
func (c *call) sum(seed maphash.Seed) {
	judged := uint64(0)
	for _, r := range c.claims {
		h := uint64(r.Kind)<<8 | uint64(r.Verdict) // a proven claim has no reason
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
	c.exact, c.coarse, c.label, c.judged = exact, uint32(coarse>>32), uint32(label>>32), uint32(judged>>32)
	c.watched = !slices.ContainsFunc(c.lines, func(l line) bool { return (asks | paths | encloses | standalone | evicts).Has(l.role) })
}

// named yields the lines that name what the call is about: those with its paths (of an exec only the
// first), or, if no path is recorded, the names it looked up. Consecutive lines of the same name, as from a
// walk that is repeated, are yielded once.
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

// hasPaths reports whether a line of the call gives a whole path.
func (c *call) hasPaths() bool {
	return slices.ContainsFunc(c.lines, func(l line) bool { return paths.Has(l.role) })
}

// lastName returns the coarse hash of the last component of its path that the call reached.
func (c *call) lastName() uint64 {
	if l := c.last(); l != nil {
		return l.name.coarse
	}
	return 0
}

// last returns the first line about the last name of the path, or nil.
func (c *call) last() (last *line) {
	for i := range c.lines {
		if l := &c.lines[i]; l.is(inPath) && (last == nil || l.at > last.at) && !paths.Has(l.role) {
			last = l
		}
	}
	return last
}

// Flags that distinguish opens, and one that does not. Their values are those of the machines that use
// include/uapi/asm-generic/fcntl.h.
const (
	oAccess = 0o3
	oCreat  = 0o100
	oExcl   = 0o200
	oTrunc  = 0o1000

	oPath = 0o10000000
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

// words returns the kind of the call, its names and, for an open, its flags.
func (c *call) words() string {
	var names []string
	for l := range c.named {
		names = append(names, l.name.text)
	}
	if !c.hasPaths() && !nameless.Has(c.kind) { // the components of one path
		names = []string{strings.Join(names, "/")}
	}
	out := kindName(c.kind)
	if makes.Has(c.kind) && !slices.ContainsFunc(c.lines, func(l line) bool { return (asks | inserts | paths).Has(l.role) }) {
		out = schema.RoleAlloc.Label() // of a dentry that is no name in a directory, as of a socket
	}
	for _, name := range names {
		out += " " + quote(name)
	}
	var flags []string // stays empty for a plain open
	for _, f := range openFlags {
		if c.openFlags()&f.mask == f.is {
			flags = append(flags, f.name)
		}
	}
	return strings.TrimSuffix(out+" "+strings.Join(flags, "|"), " ")
}

// outcome returns the result of the call and a short word for it. Both are empty if there is nothing to add
// to words.
func (c *call) outcome() (text, short string) {
	switch l := c.own(); {
	case l == nil:
	case l.errno != 0:
		return schema.ErrnoText(int(l.errno)), schema.ErrnoName(int(l.errno))
	case opens.Has(l.role) && l.is(null):
		text = "NULL"
	case l.role.Is(schema.TraitReturnsStatus):
		text = exitText(l.value)
	}
	return text, text
}

// title returns what a call was about and its result, or both results if they differ.
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

// Sets of roles, by what they mean for the comparison beyond the catalogue. Except in called, no role is
// named elsewhere.
var (
	asks    = replay.RolesThat(schema.TraitLooksUp)                                         // look up a name in the cache
	begins  = replay.RolesThat(schema.TraitBegins)                                          // begin the life of a dentry
	ends    = replay.RolesThat(schema.TraitEnds | schema.TraitFrees | schema.TraitUnhashes) // belong to the end of a dentry
	kills   = replay.RolesThat(schema.TraitEnds)
	inserts = replay.RolesOf(schema.RoleInsert)
	makes   = replay.RolesOf(schema.RoleInstantiate) // give a name an inode
	moves   = replay.RolesOf(schema.RoleMove)        // give a dentry another name
	evicts  = replay.RolesOf(schema.RoleEvict)       // empty the caches
	execs   = replay.RolesOf(schema.RoleExec)
	exits   = replay.RolesOf(schema.RoleExit)
	opens   = replay.RolesOf(schema.RoleOpen)

	walks      = asks | begins | inserts                                               // find or make a component
	changes    = replay.ChangeRoles() | replay.RolesOf(schema.RoleUnlink)              // change what the cache holds for a name
	paths      = replay.RolesThat(schema.TraitWalks) &^ execs                          // are given a whole path
	encloses   = replay.RolesWhere(func(r schema.RoleInfo) bool { return r.Op != "" }) // one call includes all that the thread does until it returns
	creates    = makes | replay.RolesOf(schema.RoleMkdir, schema.RoleMknod, schema.RoleSymlink, schema.RoleLink)
	answers    = encloses&^opens | replay.RolesOf(schema.RoleUnlink)                           // return a status as an int
	decides    = makes | moves | evicts | replay.RolesOf(schema.RoleDelete, schema.RoleUnlink) // decide what a call outside operations is
	standalone = execs | exits | replay.RolesOf(schema.RoleFork)                               // are a call of their own
	outermost  = encloses&^opens | replay.RolesOf(schema.RoleFork, schema.RoleExit)            // are never part of another call
	nameless   = evicts | exits | replay.RolesOf(schema.RoleFork)                              // have no name
)

// called names the calls that are not operations by the role that decides their kind; operations are named
// in the catalogue.
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
