// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Absence Kind = 8

var _ = register(func() kind {
	var of string // what is absent: one of the constants below
	var where Filesystem
	return kind{
		number: Absence,
		name:   "absence",
		says:   "an open, a walk or an operation failed, or nothing was allocated inside it",
		some:   replay.RolesOf(schema.RoleAlloc, schema.RoleLookupRCU),
		walks:  true,
		open: func(v *view) {
			if v.exit.Errno() != 0 {
				of, v.at = v.nothing(), whole(v.enter.Time, v.exit.Time)
				v.judge()
			}
			if len(v.rows) > 0 && !v.w.overflow && !v.w.nests && !v.w.allocates() {
				if of = noAlloc; !v.opens() {
					of = noAllocElse
				}
				v.at, v.also = whole(v.enter.Time, v.exit.Time), replay.RolesOf(schema.RoleAlloc)
				v.judge()
			}
		},
		shows: []operand{
			{show: func(v *view) {
				if allocs(of) {
					v.term(v.label(v.enter.Role, schema.Enter), v.enter.NameAddr, v.enter.ID, v.enter.Comm)
				}
			}},
			{show: func(v *view) {
				value := v.exit.Dentry
				if !allocs(of) {
					value = v.exit.Ret
				}
				v.term(v.label(v.exit.Role, schema.Exit), value, v.exit.ID, v.exit.Comm)
			}},
		},
		fill: func(v *view, cl *Claim) {
			if cl.Means = of; !allocs(of) {
				where = v.failedOn()
				cl.Detail = &where
			}
		},
		tell: func(cl *Claim, q func(string) string) string {
			if allocs(cl.Means) {
				return fmt.Sprintf("%s, #%d to #%d", cl.Means, cl.Terms[0].Event, cl.Terms[1].Event)
			}
			t := cl.Terms[0]
			return fmt.Sprintf("%s: %s %s (#%d)", cl.Means, t.Label, schema.ErrnoText(schema.Errno(t.Value)), t.Event) + cl.Detail.(*Filesystem).says(q)
		},
	}
})

// The values of Claim.Means in an absence claim: what is absent.
const (
	noAlloc     = "no alloc inside the open"
	noAllocElse = "no alloc inside the call"
	noFile      = "no file"
	noDentry    = "no dentry"
	notDone     = "not done"
)

// allocs reports whether an absence claim is about allocations.
func allocs(of string) bool { return of == noAlloc || of == noAllocElse }

// nothing returns what an error says is absent: for an open the file, for a walk the dentry it was to lead
// to, for an operation its effect.
func (v *view) nothing() string {
	switch {
	case v.opens():
		return noFile
	case walks.Has(v.exit.Role):
		return noDentry
	}
	return notDone
}

const enoent = 2

// allocates reports whether a dentry was allocated within the open.
func (w *walk) allocates() bool { return w.roles.Has(schema.RoleAlloc) }

// failedOn returns the filesystem of the directory in which the walk looked last. It is the zero Filesystem
// if no event of the walk recorded one, or if the events contradict each other.
func (c *collector) failedOn() Filesystem {
	if len(c.rows) == 0 {
		return Filesystem{}
	}
	r, fs := c.ending(), Filesystem{}
	for _, s := range []*walkStep{r.lookup, r.at} {
		switch {
		case s == nil || s.ev.Dev == 0 || s.ev.Role.Is(schema.TraitReturnsAddress):
		case fs.Dev != 0 && fs.Dev != s.ev.Dev:
			return Filesystem{}
		default:
			fs = Filesystem{s.ev.FSType, s.ev.Dev, s.ev.ID}
		}
	}
	if r.lookup != nil {
		if dir := c.state.Objects.At(r.lookup.ev.Parent); dir != nil && dir.Contradicted != nil {
			return Filesystem{}
		}
	}
	return fs
}

// Filesystem identifies where an open or another call failed: the filesystem of the directory looked in
// last.
type Filesystem struct {
	Type  string // s_type->name; empty: not known
	Dev   uint32 // s_dev; 0: not known
	Event uint64
}

func (f *Filesystem) clone() Detail { g := *f; return &g }
func (f *Filesystem) bytes() int    { return 0 }

// says returns where the open failed, as a clause, with the type quoted by q; empty if that is not known.
func (f *Filesystem) says(q func(string) string) string {
	switch {
	case f.Dev == 0:
		return ""
	case f.Type == "":
		return fmt.Sprintf(", in a directory on device %s (#%d)", device(f.Dev), f.Event)
	}
	return fmt.Sprintf(", in a directory on %s %s (#%d)", q(f.Type), device(f.Dev), f.Event)
}
