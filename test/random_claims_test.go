// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// The functions below check what a proven claim of each kind says about what was done.

func (c *checker) key(cl *report.Claim, t *truth) error {
	walk, n, linked, mounted := cl.Detail.(*report.PathWalk), 0, false, false
	for i := range t.trail.steps {
		s := &t.trail.steps[i]
		if s.offset < 0 {
			linked = true
			continue
		}
		if n++; n > len(cl.Terms) {
			return fmt.Errorf("%d components, and %v has more", len(cl.Terms), t.op)
		}
		e, k := c.tape.entryOf(cl.Terms[n-1].Event), &walk.Keys()[n-1]
		if e.Name != s.name || e.Parent != k.Parent || k.Offset != s.offset || k.Event != e.ID {
			return fmt.Errorf("#%d is about %q, component %d is %q", e.ID, e.Name, n, s.name)
		}
		if err := c.compareWay(&k.Way, s.up, linked, t); err != nil {
			return err
		}
		mounted = mounted && !s.up && !linked // otherwise those are named instead
		if k.Way.Mount != (mounted && s.dir.up == s.dir) || (k.Way.Bind.Addr == e.Parent) != (mounted && s.dir.up != s.dir) {
			return fmt.Errorf("%v: %+v, and in the model a mount point: %v", t.op, k.Way, mounted)
		}
		if err := c.bindParent(e, s.dir); err != nil {
			return err
		}
		c.noteTopics(&k.Way)
		linked, mounted = false, s.mounted
	}
	if n != len(cl.Terms) {
		return fmt.Errorf("%d components, and %v has %d", len(cl.Terms), t.op, n)
	}
	if t.op.Errno != 0 && walk.Stop.Rest != t.trail.rest {
		return fmt.Errorf("%q was not looked up, and in the model %q", walk.Stop.Rest, t.trail.rest)
	}
	for what, met := range map[string]bool{"a walk that stopped": walk.Stop.Rest != "", "a chroot": t.op.Thread == jailed, "a file without a name": t.op.Call == "tmpfile" && t.op.Errno == 0} {
		c.topicsSeen[what] = c.topicsSeen[what] || met
	}
	c.noteTopics(&walk.Stop.Way)
	return c.compareWay(&walk.Stop.Way, t.trail.up && t.op.Errno == 0, linked, t)
}

// noteTopics records what the claim says about the way to a component.
func (c *checker) noteTopics(w *report.Way) {
	for what, met := range map[string]bool{"a bind mount": w.Bind.Seq != 0, "a mount point": w.Mount, "..": w.Up, "a symbolic link": w.Outside.Count > 0} {
		c.topicsSeen[what] = c.topicsSeen[what] || met
	}
}

// compareWay compares what a claim says about the way between two components.
func (c *checker) compareWay(w *report.Way, up, linked bool, t *truth) error {
	if w.Up != up || (w.Outside.Count > 0) != linked {
		return fmt.Errorf("%v: between two components %+v, and in the model ..: %v, a link: %v", t.op, *w, up, linked)
	}
	return nil
}

func (c *checker) prefix(cl *report.Claim, t *truth, enter *schema.Event) error {
	e := c.tape.entryOf(cl.Left.Event)
	if e.NameAddr-enter.NameAddr != cl.Result || cl.Means != t.op.Path[:min(cl.Result, uint64(len(t.op.Path)))] {
		return fmt.Errorf("#%d lies %d bytes into the path", e.ID, e.NameAddr-enter.NameAddr)
	}
	for _, s := range t.trail.steps {
		if uint64(s.offset) == cl.Result && s.name == e.Name {
			return nil
		}
	}
	return fmt.Errorf("%v has no component %q at %d", t.op, e.Name, cl.Result)
}

func (c *checker) equality(cl *report.Claim, t *truth, exit *schema.Event) error {
	if t.op.Errno != 0 || exit.Dentry != cl.Object.Addr {
		return fmt.Errorf("%v opened nothing, or another dentry", t.op)
	}
	if err := c.terms(cl); err != nil {
		return err
	}
	if t.loose {
		return c.same(cl.Object.Seq, t)
	}
	s := t.openedStep(cl.Object.Seq)
	if s == nil {
		return nil
	}
	if err := c.bindName(cl.Object.Seq, s, t, exit.ID); err != nil {
		return err
	}
	return c.checkAlloc(cl, s.token)
}

// openedStep returns the name of what an open led to, or nil if that is not known. The dentry of a file
// without a name gets a token that no name has.
func (t *truth) openedStep(d uint64) *step {
	switch s := t.trail.last(); {
	case t.op.Call == "tmpfile":
		return &step{dir: t.node, token: -int(d)}
	case s != nil && s.mounted:
		return t.home
	default:
		return s
	}
}

// same checks, where others work too, that a dentry has the same inode as before unless something was
// unlinked in between.
func (c *checker) same(d uint64, t *truth) error {
	before := c.opened[d]
	c.opened[d] = t
	if before == nil || before.op.Ino == t.op.Ino {
		return nil
	}
	if c.did.anyDuring(before.op.T0, t.op.T1, func(o *truth) bool { return o.loose && o.op.Call == "unlink" }) {
		return nil
	}
	return fmt.Errorf("%v and %v opened inodes %d and %d, and nothing was unlinked", before.op, t.op, before.op.Ino, t.op.Ino)
}

func (c *checker) negative(cl *report.Claim, t *truth, exit *schema.Event) error {
	s, kept := t.trail.last(), cl.Detail.(*report.Missing).Kept
	switch {
	case t.op.Errno != enoent || exit.Errno() != enoent:
		return fmt.Errorf("%v did not fail with ENOENT", t.op)
	case s == nil || cl.Means != s.name:
		return fmt.Errorf("%v does not end in %q", t.op, cl.Means)
	case !t.loose && s.node != nil:
		return fmt.Errorf("%q is there", s.name)
	case cl.Object.Addr == 0:
		return nil // no lookup found a dentry and none was made: there is nothing to compare
	case kept && !c.tape.unchanged(cl.Object.Addr, cl.Terms[0].Event, exit.ID):
		return fmt.Errorf("the address had another life in between")
	case !kept && c.tape.unchanged(cl.Object.Addr, cl.Terms[0].Event, exit.ID) && strings.Contains(cl.Note.String(), "killed"):
		return fmt.Errorf("nothing killed it")
	case t.loose:
		return nil
	}
	if err := c.bindName(cl.Object.Seq, s, t, exit.ID); err != nil {
		return err
	}
	return c.checkAlloc(cl, s.token)
}

func (c *checker) absence(cl *report.Claim, t *truth, enter, exit *schema.Event) error {
	if cl.Means == "no file" {
		if t.op.Errno == 0 || t.op.Errno != exit.Errno() {
			return fmt.Errorf("%v, and the event has %d", t.op, exit.Errno())
		}
		return nil
	}
	return c.noAlloc(enter, exit)
}

func (c *checker) noAlloc(enter, exit *schema.Event) error {
	for id := enter.ID; id <= exit.ID; id++ {
		if e := c.tape.event(id); e.TID == exit.TID && e.Role == schema.RoleAlloc {
			return fmt.Errorf("#%d is an alloc", id)
		}
	}
	return nil
}

// cached checks that a lookup of the open returned a dentry for each component of the path.
func (c *checker) cached(cl *report.Claim, t *truth, enter, exit *schema.Event) error {
	n := 0
	for _, s := range t.trail.steps {
		if s.offset < 0 {
			continue
		}
		if n == len(cl.Terms) {
			return fmt.Errorf("%d components, and %v has more", n, t.op)
		}
		e := c.tape.event(cl.Terms[n].Event)
		if n++; e.Phase != schema.Exit || !e.Role.Is(schema.TraitLooksUp) || e.Dentry == 0 || e.Name != s.name || e.ID < enter.ID || e.ID > exit.ID {
			return fmt.Errorf("#%d does not answer %q", e.ID, s.name)
		}
	}
	if n != len(cl.Terms) {
		return fmt.Errorf("%d components, and %v has %d", len(cl.Terms), t.op, n)
	}
	return c.noAlloc(enter, exit)
}

func (c *checker) creation(cl *report.Claim, t *truth, exit *schema.Event) error {
	if t.op.Errno != 0 || t.op.Call != "tmpfile" && t.op.Flags&oCreat == 0 || !t.loose && !t.created {
		return fmt.Errorf("%v made nothing", t.op)
	}
	s := t.openedStep(cl.Object.Seq)
	if err := c.terms(cl); err != nil || s == nil {
		return err
	}
	return c.bindName(cl.Object.Seq, s, t, exit.ID)
}

func (c *checker) hardLink(cl *report.Claim, t *truth) error {
	other := c.tape.event(cl.Terms[0].Event)
	before := c.did.at(other.TID, other.Time)
	switch {
	case before == nil:
		return nil
	case before.op.Ino != t.op.Ino:
		return fmt.Errorf("inodes %d and %d", before.op.Ino, t.op.Ino)
	case t.loose || before.loose:
		return nil
	case before.node != t.node:
		return fmt.Errorf("%v and %v opened two files", before.op, t.op)
	case t.links < 2 || before.op.Call == "tmpfile" || t.op.Call == "tmpfile":
		return fmt.Errorf("%v and %v: the file has %d names", before.op, t.op, t.links)
	case cl.Object.Seq == cl.Other.Seq || other.Dentry != cl.Other.Addr || !c.tape.unchanged(other.Dentry, other.ID, cl.Terms[1].Event):
		return fmt.Errorf("the other dentry did not live so long")
	}
	return nil
}

func (c *checker) eviction(cl *report.Claim, t *truth, exit *schema.Event) error {
	s := t.trail.last()
	kill, alloc := c.tape.event(cl.Terms[0].Event), c.tape.event(cl.Terms[1].Event)
	switch {
	case kill.Role != schema.RoleKill || kill.Dentry != cl.Other.Addr || alloc.Role != schema.RoleAlloc || alloc.Dentry != cl.Object.Addr:
		return fmt.Errorf("#%d and #%d are no kill and alloc of the two", kill.ID, alloc.ID)
	case kill.ID > alloc.ID || s == nil || alloc.Name != s.name || kill.Name != s.name || t.trail.linked:
		return fmt.Errorf("#%d killed %q, #%d allocated %q, and %v", kill.ID, kill.Name, alloc.ID, alloc.Name, t.op)
	case t.loose:
		return nil
	}
	before, seen := c.places[cl.Other.Seq]
	if !seen {
		return nil
	}
	if before.step.dir != s.dir || before.step.name != s.name || before.event > kill.ID {
		return fmt.Errorf("it was %q in %s at #%d, and now it is about %q in %s", before.step.name, before.step.dir.what, before.event, s.name, s.dir.what)
	}
	if !c.did.anyDuring(before.by.op.T0, kill.Time, (*truth).mayEndDentries) {
		return fmt.Errorf("nothing was done that could have ended it")
	}
	return c.bindName(cl.Object.Seq, s, t, exit.ID)
}

func (c *checker) race(cl *report.Claim, t *truth) error {
	for _, term := range cl.Terms {
		e := c.tape.event(term.Event)
		if e.Role != schema.RoleAlloc {
			continue
		}
		by := c.did.at(e.TID, e.Time)
		if by == nil || e.Name != cl.Means || by.op.T0 > t.op.T1 || t.op.T0 > by.op.T1 {
			return fmt.Errorf("#%d is not of an operation at the same time as %v, or of another name than %q", e.ID, t.op, cl.Means)
		}
	}
	if s := t.trail.last(); s == nil || !strings.Contains(t.op.Path, cl.Means) {
		return fmt.Errorf("%v has no %q", t.op, cl.Means)
	}
	return nil
}

// deletion checks that the operation deleted the name, and that the dentry ended or became negative, as
// the claim says.
func (c *checker) deletion(cl *report.Claim) (bool, error) {
	i := slices.IndexFunc(cl.Terms, func(t report.Term) bool { return c.tape.event(t.Event).Role == schema.RoleDelete })
	if i < 0 {
		return true, fmt.Errorf("no d_delete is among its operands")
	}
	e := c.tape.event(cl.Terms[i].Event)
	t := c.did.at(e.TID, e.Time)
	if t == nil {
		return false, nil
	}
	switch {
	case t.op.Call != "unlink" && t.op.Call != "rmdir" || t.op.Errno != 0:
		return true, fmt.Errorf("%v deleted nothing at #%d", t.op, e.ID)
	case t.trail.last().name != e.Name || t.trail.last().name != cl.Subject:
		return true, fmt.Errorf("%v deleted no %q", t.op, cl.Subject)
	}
	if err := c.terms(cl); err != nil {
		return true, err
	}
	return true, c.bindName(cl.Object.Seq, t.trail.last(), t, e.ID)
}

func (c *checker) move(cl *report.Claim) (bool, error) {
	n, moved := len(cl.Terms), cl.Detail.(*report.Moved)
	enter, exit := c.tape.event(cl.Terms[n-2].Event), c.tape.event(cl.Terms[n-1].Event)
	t := c.did.at(exit.TID, exit.Time)
	if t == nil {
		return false, nil
	}
	if err := c.terms(cl); err != nil {
		return true, err
	}
	if t.loose {
		if t.op.Call == "rename" && t.op.Errno == 0 && strings.HasSuffix(t.op.Path, "/"+moved.From.Name) && strings.HasSuffix(t.op.Path2, "/"+moved.To.Name) {
			return true, nil
		}
		return true, fmt.Errorf("%v did not rename %q to %q", t.op, moved.From.Name, moved.To.Name)
	}
	for i := range t.moves {
		m := &t.moves[i]
		if m.from.name != moved.From.Name || m.to.name != moved.To.Name {
			continue
		}
		if err := c.bindParent(enter, m.from.dir); err != nil {
			return true, err
		}
		if err := c.bindParent(exit, m.to.dir); err != nil {
			return true, err
		}
		if err := c.target(cl, t, m, exit.ID); err != nil {
			return true, err
		}
		return true, c.bindName(cl.Object.Seq, &step{dir: m.to.dir, name: m.to.name, token: m.token}, t, exit.ID)
	}
	return true, fmt.Errorf("%v did not rename %q to %q", t.op, moved.From.Name, moved.To.Name)
}

// target checks what a claim says about the dentry whose place was taken.
func (c *checker) target(cl *report.Claim, t *truth, m *move, event uint64) error {
	target := &cl.Detail.(*report.Moved).Target
	switch {
	case target.Exchange != (t.op.Call == "exchange"):
		return fmt.Errorf("%v: an exchange: %v", t.op, target.Exchange)
	case target.Back == 0:
		c.topicsSeen["one displaced"] = c.topicsSeen["one displaced"] || target.Seen && m.to.node != nil
		return nil
	}
	c.topicsSeen["an exchange"] = true
	back := t.moves[len(t.moves)-1]
	if m == &t.moves[1] {
		back = t.moves[0]
	}
	return c.bindName(target.Seq, &step{dir: back.to.dir, name: back.to.name, token: back.token}, t, event)
}

// hash computes the name hash as described in FORMAT.md.
func (c *checker) hash(e *schema.Event) error {
	const golden = 0x61C8864680B583EB
	x, y, name := uint64(0), e.Parent, append([]byte(e.Name), make([]byte, 8)...)
	for n := len(e.Name); n > 0; n -= 8 {
		x ^= binary.LittleEndian.Uint64(name)
		if n < 8 {
			break
		}
		y ^= x
		x = bits.RotateLeft64(x, 12) + y
		y = 9 * bits.RotateLeft64(y, 45)
		name = name[8:]
	}
	if want := uint32((y ^ x*golden) * golden >> 32); e.Hash != want {
		return fmt.Errorf("#%d has hash %#x, not %#x", e.ID, e.Hash, want)
	}
	return nil
}

func (c *checker) bucket(e *schema.Event) error {
	l := c.header.Layout
	if want := l.DentryHashtable + 8*(uint64(e.Hash)>>l.DHashShift); e.Bucket != want {
		return fmt.Errorf("#%d has bucket %#x, not %#x", e.ID, e.Bucket, want)
	}
	return nil
}

func (c *checker) storage(e *schema.Event) error {
	l := c.header.Layout
	place, within := e.NameAddr-e.Dentry, len(e.Name)+1 <= int(l.InlineNameSize)
	if within != (place == uint64(l.InlineName)) || !within && place < uint64(l.DentrySize) {
		return fmt.Errorf("#%d: %d bytes at %d", e.ID, len(e.Name), place)
	}
	return nil
}
