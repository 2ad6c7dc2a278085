// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"io"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// checker compares the proven claims of a trace with what was done. It uses nothing of the trace but
// the events.
type checker struct {
	did    *truths
	header *schema.Header
	tape   eventLog

	places         map[uint64]place  // by D number: where it was last seen
	opened         map[uint64]*truth // by D number: its last open, if the order of operations is not known
	holders        map[address]*node // the directory that a dentry is of
	compared       map[string]int    // proven claims compared with the model, by kind
	unknownToModel map[string]int    // proven claims about what the model does not know, by kind
	faults         []string          // descriptions of proven claims that are false
	refuted        map[string]int    // refuted claims, by kind
	topicsSeen     map[string]bool   // what the compared claims were about, see requiredTopics
}

// requiredTopics are what claims must have been about for a run to count.
var requiredTopics = []string{"a bind mount", "a mount point", "..", "a symbolic link", "a walk that stopped", "an exchange", "one displaced", "a chroot",
	"a file without a name"}

// place is the name of a dentry, and when it was seen there.
type place struct {
	step  step
	event uint64
	by    *truth
}

// address identifies a dentry: an address, and how many births and deaths came before at it.
type address struct {
	addr uint64
	life int
}

// eventLog keeps the events of a trace, and the births and deaths of dentries at each address.
type eventLog struct {
	replay.Source
	events  []schema.Event
	parents []int            // by event: the life at its Parent's address
	lives   map[uint64]int   // by address: births and deaths so far
	turns   map[uint64][]int // by address: ids of the births and deaths
}

func (t *eventLog) Next() (schema.Record, error) {
	rec, err := t.Source.Next()
	if e, ok := rec.(*schema.Event); ok {
		for len(t.events) < int(e.ID) {
			t.events, t.parents = append(t.events, schema.Event{}), append(t.parents, 0)
		}
		t.events, t.parents = append(t.events, *e.Clone()), append(t.parents, t.lives[entryIn(e).Parent])
		if born := e.Role == schema.RoleAlloc && e.Phase == schema.Exit; e.Dentry != 0 && (born || e.Role == schema.RoleKill) {
			t.lives[e.Dentry]++
			t.turns[e.Dentry] = append(t.turns[e.Dentry], int(e.ID))
		}
	}
	return rec, err
}

// entryOf returns the entry of a lookup or alloc by its id.
func (t *eventLog) entryOf(id uint64) *schema.Event {
	return entryIn(t.event(id))
}

// entryIn returns the entry of a call; for a call that is one event, the entry in that event.
func entryIn(e *schema.Event) *schema.Event {
	if e.Entry != nil {
		return e.Entry
	}
	return e
}

// event returns the event with the id, or an empty one if there is none.
func (t *eventLog) event(id uint64) *schema.Event {
	if id >= uint64(len(t.events)) {
		return &schema.Event{}
	}
	return &t.events[id]
}

// unchanged reports whether no dentry was born or died at the address between two events.
func (t *eventLog) unchanged(addr, after, before uint64) bool {
	for _, id := range t.turns[addr] {
		if uint64(id) > after && uint64(id) < before {
			return false
		}
	}
	return true
}

// checkClaims reads a trace to its end and compares every proven claim with what was done. A refuted claim is
// a fault.
func checkClaims(src replay.Source, did *truths) (*checker, *report.Findings, error) {
	c := &checker{
		did: did, header: src.Header(),
		tape:   eventLog{Source: src, lives: make(map[uint64]int), turns: make(map[uint64][]int)},
		places: make(map[uint64]place), opened: make(map[uint64]*truth), holders: make(map[address]*node),
		compared: make(map[string]int), unknownToModel: make(map[string]int), refuted: make(map[string]int), topicsSeen: make(map[string]bool),
	}
	f, err := report.Judge(&c.tape, report.Options{Each: func(cl *report.Claim) {
		switch cl.Verdict {
		case report.Proven:
			c.claim(cl)
		case report.Refuted:
			c.refuted[cl.Kind.String()]++
			c.faults = append(c.faults, fmt.Sprintf("%s of %.80q refuted (%s), at #%d: the model knows nothing against it", cl.Kind, cl.Subject, cl.Reason(), len(c.tape.events)-1))
		}
	}})
	if err == io.EOF {
		err = nil
	}
	return c, f, err
}

// claim compares one claim, and records a fault if it is false.
func (c *checker) claim(cl *report.Claim) {
	known, err := c.judge(cl)
	kind := cl.Kind.String()
	switch {
	case err != nil:
		ids := make([]uint64, 0, len(cl.Terms))
		for _, t := range cl.Terms {
			ids = append(ids, t.Event)
		}
		c.faults = append(c.faults, fmt.Sprintf("%s of %.80q, D%d, events %v, at #%d: %v", kind, cl.Subject, cl.Object.Seq, ids, len(c.tape.events)-1, err))
	case known:
		c.compared[kind]++
	default:
		c.unknownToModel[kind]++
	}
}

// judge returns an error if the claim is false, and known false if the model cannot tell.
func (c *checker) judge(cl *report.Claim) (known bool, err error) {
	now := c.tape.event(uint64(len(c.tape.events) - 1))
	switch cl.Kind {
	case report.Hash:
		return true, c.hash(now)
	case report.Bucket:
		return true, c.bucket(now)
	case report.Storage:
		return true, c.storage(now)
	case report.Delete:
		return c.deletion(cl)
	case report.Move:
		return c.move(cl)
	case report.Restart, report.Start:
		return false, nil // the model does not tell how a walk goes
	}
	t := c.did.at(now.TID, now.Time)
	if t == nil || t.op.Call != "open" && t.op.Call != "hold" && t.op.Call != "tmpfile" {
		return false, nil
	}
	enter := c.opening(now)
	if now.Role != schema.RoleOpen || now.Phase != schema.Exit || enter.Name != t.op.Path {
		return true, fmt.Errorf("%v opened no %q", t.op, enter.Name)
	}
	return true, c.open(cl, t, enter, now)
}

// opening returns the entry of the open that returns with the event.
func (c *checker) opening(exit *schema.Event) *schema.Event {
	for id := exit.ID - 1; id > 0; id-- {
		if e := c.tape.event(id); e.TID == exit.TID && e.Role == schema.RoleOpen && e.Phase == schema.Enter {
			return e
		}
	}
	return &schema.Event{}
}

// open compares a claim about one open.
func (c *checker) open(cl *report.Claim, t *truth, enter, exit *schema.Event) error {
	switch cl.Kind {
	case report.Key:
		return c.key(cl, t)
	case report.Prefix:
		return c.prefix(cl, t, enter)
	case report.Equality:
		return c.equality(cl, t, exit)
	case report.Negative:
		return c.negative(cl, t, exit)
	case report.Absence:
		return c.absence(cl, t, enter, exit)
	case report.Cached:
		return c.cached(cl, t, enter, exit)
	case report.Creation:
		return c.creation(cl, t, exit)
	case report.Eviction:
		return c.eviction(cl, t, exit)
	case report.HardLink:
		return c.hardLink(cl, t)
	case report.Race:
		return c.race(cl, t)
	}
	return fmt.Errorf("a kind of claim that the model does not know")
}

// bindName binds a dentry to the name under which it was seen: a dentry has one name until a rename gives it
// another.
func (c *checker) bindName(d uint64, s *step, t *truth, event uint64) error {
	if s == nil {
		return fmt.Errorf("%v has no component", t.op)
	}
	if t.loose {
		return nil
	}
	if before, seen := c.places[d]; seen && before.step.token != s.token {
		return fmt.Errorf("D%d was %q in %s at #%d, and no rename has made it %q in %s", d,
			before.step.name, before.step.dir.what, before.event, s.name, s.dir.what)
	}
	c.places[d] = place{*s, event, t}
	return nil
}

// bindParent binds the parent of an event to a directory. The dentry of a removed directory becomes
// negative, and a mkdir of that name gives it another inode.
func (c *checker) bindParent(e *schema.Event, dir *node) error {
	at := address{e.Parent, c.tape.parents[e.ID]}
	if before, seen := c.holders[at]; seen && before != dir && before.links > 0 {
		return fmt.Errorf("the parent %#x at #%d was %s before, and is %s", e.Parent, e.ID, before.what, dir.what)
	}
	c.holders[at] = dir
	return nil
}

// terms checks that each operand is the dentry's address, and is in the event.
func (c *checker) terms(cl *report.Claim) error {
	for _, t := range cl.Terms {
		if e := c.tape.event(t.Event); e.Dentry != cl.Object.Addr || t.Value != e.Dentry {
			return fmt.Errorf("#%d is about %#x, the claim about %#x", t.Event, e.Dentry, cl.Object.Addr)
		}
	}
	if n := len(cl.Terms); n > 0 && !c.tape.unchanged(cl.Object.Addr, cl.Terms[0].Event, cl.Terms[n-1].Event) {
		return fmt.Errorf("the address had another life between #%d and #%d", cl.Terms[0].Event, cl.Terms[n-1].Event)
	}
	return nil
}

// checkAlloc checks that the alloc of a dentry, if it is an operand, was for a name with the token, and in an
// operation whose path has that name.
func (c *checker) checkAlloc(cl *report.Claim, token int) error {
	for _, term := range cl.Terms {
		e := c.tape.event(term.Event)
		if e.Role != schema.RoleAlloc {
			continue
		}
		t := c.did.at(e.TID, e.Time)
		if t == nil || t.loose || t.trail == nil && t.second == nil {
			return nil
		}
		for _, way := range []*trail{t.trail, t.second} {
			for i := 0; way != nil && i < len(way.steps); i++ {
				if s := &way.steps[i]; s.name == e.Name && s.token == token {
					return nil
				}
			}
		}
		return fmt.Errorf("%v allocated it at #%d, and came by no such name", t.op, e.ID)
	}
	return nil
}
