// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"io"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// checker holds the proven claims of a trace against what was done. Of the trace it
// uses the events alone.
type checker struct {
	did    *truths
	header *schema.Header
	tape   tape

	places  map[uint64]place  // by D number: where it was seen last
	opened  map[uint64]*truth // by D number: the last open of it, where the order is not known
	holders map[address]*node // the directory a dentry is of
	held    map[string]int    // proven claims held against the model, by kind
	beyond  map[string]int    // proven claims on what the model does not know
	faults  []string          // proven, and false
	denied  map[string]int    // refuted claims, by kind
	met     map[string]bool   // what proven claims that were held spoke of, see things
}

// things are what the programs must have done for a run to count.
var things = []string{"a bind mount", "a mount point", "..", "a symbolic link", "a walk that stopped", "an exchange", "one displaced", "a chroot",
	"a file without a name"}

// place is a dentry's name, and when it was seen there.
type place struct {
	step  step
	event uint64
	by    *truth
}

// address is a dentry's, between one birth or death at it and the next.
type address struct {
	addr uint64
	life int
}

// tape keeps the events of a trace, and the lives of addresses.
type tape struct {
	replay.Source
	events  []schema.Event
	parents []int            // by event: the life at Parent
	lives   map[uint64]int   // by address
	turns   map[uint64][]int // by address: events that begin or end a life
}

func (t *tape) Next() (schema.Record, error) {
	rec, err := t.Source.Next()
	if e, ok := rec.(*schema.Event); ok {
		for len(t.events) < int(e.ID) {
			t.events, t.parents = append(t.events, schema.Event{}), append(t.parents, 0)
		}
		t.events, t.parents = append(t.events, *e.Clone()), append(t.parents, t.lives[given(e).Parent])
		if born := e.Role == schema.RoleAlloc && e.Phase == schema.Exit; e.Dentry != 0 && (born || e.Role == schema.RoleKill) {
			t.lives[e.Dentry]++
			t.turns[e.Dentry] = append(t.turns[e.Dentry], int(e.ID))
		}
	}
	return rec, err
}

// asked returns the entry of a lookup or alloc with the id.
func (t *tape) asked(id uint64) *schema.Event {
	return given(t.event(id))
}

// given is what a call was given: of one that is one event its entry.
func given(e *schema.Event) *schema.Event {
	if e.Entry != nil {
		return e.Entry
	}
	return e
}

// event returns the event with the id, an empty one if there is none.
func (t *tape) event(id uint64) *schema.Event {
	if id >= uint64(len(t.events)) {
		return &schema.Event{}
	}
	return &t.events[id]
}

// whole reports whether nothing was born or died at the address after one event and
// before another.
func (t *tape) whole(addr, after, before uint64) bool {
	for _, id := range t.turns[addr] {
		if uint64(id) > after && uint64(id) < before {
			return false
		}
	}
	return true
}

// hold reads a trace to its end and holds every proven claim against what was done.
func hold(src replay.Source, did *truths) (*checker, *report.Findings, error) {
	c := &checker{
		did: did, header: src.Header(),
		tape:   tape{Source: src, lives: make(map[uint64]int), turns: make(map[uint64][]int)},
		places: make(map[uint64]place), opened: make(map[uint64]*truth), holders: make(map[address]*node),
		held: make(map[string]int), beyond: make(map[string]int), denied: make(map[string]int), met: make(map[string]bool),
	}
	f, err := report.Judge(&c.tape, report.Options{Each: func(cl *report.Claim) {
		switch cl.Verdict {
		case report.Proven:
			c.claim(cl)
		case report.Refuted:
			c.denied[cl.Kind.String()]++
			c.faults = append(c.faults, fmt.Sprintf("%s of %.80q refuted (%s), at #%d: the model knows nothing against it", cl.Kind, cl.Subject, cl.Reason(), len(c.tape.events)-1))
		}
	}})
	if err == io.EOF {
		err = nil
	}
	return c, f, err
}

// claim holds one claim, and says so if it is false.
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
		c.held[kind]++
	default:
		c.beyond[kind]++
	}
}

// judge returns an error if the claim is false, and false if the model knows nothing
// of it.
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
		return false, nil // the model does not say how a walk goes
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

// opening returns the entry of the open that ends at the event.
func (c *checker) opening(exit *schema.Event) *schema.Event {
	for id := exit.ID - 1; id > 0; id-- {
		if e := c.tape.event(id); e.TID == exit.TID && e.Role == schema.RoleOpen && e.Phase == schema.Enter {
			return e
		}
	}
	return &schema.Event{}
}

// open holds a claim about one open.
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

// at binds a dentry to the name it was seen under: one dentry is under one name, until
// a rename takes it elsewhere.
func (c *checker) at(d uint64, s *step, t *truth, event uint64) error {
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

// under binds the parent of an event to a directory. One that was removed leaves its dentry without inode, and a mkdir of that name
// gives it another.
func (c *checker) under(e *schema.Event, dir *node) error {
	at := address{e.Parent, c.tape.parents[e.ID]}
	if before, seen := c.holders[at]; seen && before != dir && before.links > 0 {
		return fmt.Errorf("the parent %#x at #%d was %s before, and is %s", e.Parent, e.ID, before.what, dir.what)
	}
	c.holders[at] = dir
	return nil
}

// terms holds that each operand is the dentry's address, and stands in the event.
func (c *checker) terms(cl *report.Claim) error {
	for _, t := range cl.Terms {
		if e := c.tape.event(t.Event); e.Dentry != cl.Object.Addr || t.Value != e.Dentry {
			return fmt.Errorf("#%d is about %#x, the claim about %#x", t.Event, e.Dentry, cl.Object.Addr)
		}
	}
	if n := len(cl.Terms); n > 0 && !c.tape.whole(cl.Object.Addr, cl.Terms[0].Event, cl.Terms[n-1].Event) {
		return fmt.Errorf("the address had another life between #%d and #%d", cl.Terms[0].Event, cl.Terms[n-1].Event)
	}
	return nil
}

// born holds that the alloc of a dentry, if it is an operand, was for a name with the
// token, and in an operation that came by it.
func (c *checker) born(cl *report.Claim, token int) error {
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
