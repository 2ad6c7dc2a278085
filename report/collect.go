// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// collector turns records into findings in one pass.
type collector struct {
	f             *Findings
	reading       Reading
	state         *replay.State // of that
	layout        *schema.Layout
	programs      map[string]*Program
	last          *Program // of the previous event that asked
	comm          string   // of that
	walks         []*walk  // for reuse
	within        []*walk  // of the opens in progress, by Call.Tag; nil at 0 and where there is none
	free          []int    // of these
	view          view     // what a claim is being made of
	terms         []Term   // the operands of the claim being judged
	rows          []row    // scratch of the open being judged
	links         int      // names in it that were not of its path
	again         bool     // it came back to a component before the one it was at
	drafts        drafts   // its claims, where it is not picked yet
	asked         []string // opens that are picked on request
	tail          row      // the last of these, if nothing of the path was looked up after it
	latest        uint64   // the last event
	processCounts processCounts
	executed      map[uint32]uint64 // by thread: the exec in progress of which the file was opened
	budgets

	attached  replay.Roles // roles recorded in all their phases
	uncounted replay.Roles // roles of which hits may be missed unknown
	logged    replay.Roles // roles read from a kernel log

	unreturned []unreturned // opens that loss has taken the end of

	imported bool  // the events are lines of a kernel log
	lines    *Item // of the lines since the last open; nil where they are not kept

	miscounted bool // the footer is wrong about how many events there are

	bare  bool         // see Options
	each  func(*Claim) // told of every claim; may be nil
	kinds []*kind      // every kind, by number
	looks byRole       // those that look at an event

	only   func() bool // whether what is made with an event counts; nil: all does
	mute   bool        // it does not
	nobody Program     // whose that is, then

	follow func(*Moment) // told of every record; may be nil
	moment Moment        // the one it was told of last
}

// record applies one record; of an event it returns where it stands.
func (c *collector) record(rec schema.Record) *replay.Step {
	s := c.reading.Record(rec)
	if s != nil {
		c.event(s)
		return s
	}
	switch rec := rec.(type) {
	case *schema.Damage:
		c.damage(rec)
	case *schema.Program:
		c.source(rec)
	case *schema.Footer:
		c.f.Footer = rec
	}
	return s
}

func newCollector(h *schema.Header, r Reading) *collector {
	c := &collector{
		f:             &Findings{Header: h, labels: newLabels(h)},
		reading:       r,
		state:         r.State(),
		layout:        h.GetLayout(),
		programs:      make(map[string]*Program),
		within:        make([]*walk, 1),
		processCounts: newProcessCounts(),
		imported:      h.Logged(),
		budgets:       newBudgets(),
	}
	c.state.Objects.OnForget(c.forgotten)
	if c.layout == nil {
		c.layout = &schema.Layout{}
	}
	c.attached, c.uncounted = replay.Recorded(h)
	for _, p := range h.GetProbe() {
		if p.Attached {
			c.f.Attached |= replay.RolesOf(p.Role)
			if p.Attach == schema.Attach_ATTACH_DMESG {
				c.logged |= replay.RolesOf(p.Role)
			}
		}
	}
	for _, make := range makers {
		if make != nil {
			c.kinds = append(c.kinds, made(make))
		}
	}
	c.view.collector = c
	c.looks = looking(c.kinds)
	c.state.OnGivenUp(c.givenUp)
	c.attached |= c.logged // a log has what it has
	return c
}

// event takes an event, of which the state has said where it stands and of which dentry it is.
//
//  1. The kinds of claim that look at events of its role do, and judge what can be
//     judged from the event alone.
//  2. It joins the open around it; the exit of that open is judged as a whole.
//  3. Outside any open it joins another walk around it, which is judged as that ends, and is
//     kept for the program's section.
func (c *collector) event(s *replay.Step) {
	e := s.Event
	c.f.Events++
	c.latest = e.ID
	known := c.f.labels.known(e.Role, e.Phase)
	if known {
		c.f.columns[e.Role][e.Phase] |= e.Columns
		if e.Entry != nil {
			c.f.columns[e.Role][schema.Enter] |= e.Entry.Columns
		}
	}
	if c.imported && e.PID == 0 {
		c.line(s)
		return
	}
	if !c.bare {
		c.processCounts.see(e)
	}
	if c.mute = c.only != nil && !c.only(); e.Phase == schema.Exit && executing.Has(e.Role) {
		delete(c.executed, e.TID)
	}
	if known {
		c.look(s)
	}
	if s.Open != nil && s.Call == s.Open && s.Open.Outer != nil {
		if w := c.within[s.Open.Outer.Tag]; w != nil {
			w.nests = true
		}
	}
	if s.Within == nil {
		c.passes(s)
	}
	switch {
	case s.Within == nil && c.mute:
	case s.Within == nil:
		c.outside(s)
	case s.Call == s.Within && e.Phase == schema.Enter:
		w := c.begins(s.Within)
		w.execs, w.picked = e.Execute() && c.executes(e), !c.mute
		w.add(s, true)
		if w.picked {
			c.program(e)
		}
	default:
		if w := c.within[s.Within.Tag]; w != nil {
			w.picked = w.picked || !c.mute
			w.add(s, c.roomForSteps())
			if s.Call == s.Within {
				c.ended(w)
				c.recycle(s.Within)
			}
		}
	}
}

// look shows the event to the kinds of claim that look at its role, which is a known one.
func (c *collector) look(s *replay.Step) {
	v := &c.view
	v.step = s
	for _, k := range c.looks[s.Event.Role][s.Event.PhaseInFile()] {
		if s.Object != nil || !k.dentries {
			v.kind = k
			k.event(v)
		}
	}
}

func (c *collector) damage(d *schema.Damage) {
	if len(c.f.Damage) < maxDamage {
		c.f.Damage = append(c.f.Damage, *d)
	}
	c.f.Cut = c.f.Cut || d.Cut && !d.Behind
	c.miscounted = c.miscounted || errors.Is(d.Err, schema.ErrMiscounted)
}

// program returns the section of the event's task, nil beyond the bound.
func (c *collector) program(e *schema.Event) *Program {
	if c.last != nil && c.comm == e.Comm {
		c.comm = e.Comm // the same string as that of the next event mostly
		return c.last
	}
	p, ok := c.programs[e.Comm]
	if !ok {
		p = &Program{Comm: e.Comm, PID: e.PID}
		if p.kept = len(c.f.Programs) < maxPrograms; p.kept {
			c.f.Programs = append(c.f.Programs, p)
		} else if !c.f.MorePrograms {
			c.f.Omitted++
		}
		if len(c.programs) > 16*maxPrograms { // names without end: more of them are not counted
			c.f.MorePrograms = true
			clear(c.programs)
			for _, kept := range c.f.Programs {
				c.programs[kept.Comm] = kept
			}
		}
		c.programs[e.Comm] = p
	}
	c.last, c.comm = p, e.Comm
	return p
}

func (c *collector) source(rec *schema.Program) {
	p := c.program(&schema.Event{Comm: rec.Name, PID: rec.Pid})
	if p.PID = rec.Pid; p.kept {
		p.Source, p.Stdout = slices.Clone(rec.Source), string(rec.Stdout)
	}
}

// Roles of which not every event is told outside an open: those of processes, which the head
// of a section sums up, and what may be reclaim.
var (
	untold   = replay.RolesOf(schema.RoleFork, schema.RoleExec, schema.RoleExit, schema.RoleFree)
	reclaims = replay.RolesOf(schema.RoleKill, schema.RoleDrop)
)

// outside keeps what a program does to dentries without an open around it:
// unlink, rename, drop_caches.
func (c *collector) outside(s *replay.Step) {
	e := s.Event
	if untold.Has(e.Role) {
		return
	}
	if reclaims.Has(e.Role) {
		if s.Object == nil || s.Object.Notes == nil {
			return // of no open in this report
		}
		if _, known := c.programs[e.Comm]; !known {
			return // another task's reclaim; the claim that needs it cites it
		}
	}
	p := c.program(e)
	if !p.kept || c.bare {
		return
	}
	var it *Item
	if n := len(p.Items); n > 0 && p.Items[n-1].stretch() && p.Items[n-1].TID == e.TID {
		it = p.Items[n-1]
	} else if p.stretches < maxItems && c.roomForItem() {
		it = &Item{TID: e.TID}
		p.stretches++
		p.Items = append(p.Items, it)
	} else {
		p.Beyond++
		return
	}
	s.Halves(func(s *replay.Step) { c.keep(it, stepOf(s)) })
}

// keep keeps a step; the exit of a call that is one event goes where its entry went.
func (c *collector) keep(it *Item, s Step) {
	cost := stepBytes + nameCost*len(s.Event.Name)
	switch again := s.Event.ID == it.newest; {
	case again && it.full:
		return
	case again:
		c.take(cost)
	case it.events >= maxSteps || !c.take(cost):
		it.More++
		it.newest, it.full = s.Event.ID, true
		return
	default:
		it.events++
		it.newest, it.full = s.Event.ID, false
	}
	s.Event.Name = strings.Clone(s.Event.Name)
	it.Steps = append(it.Steps, s)
}

func stepOf(s *replay.Step) Step {
	k := Step{Event: *s.Event, Ref: ref(s.Object)}
	k.Event.Entry = nil // it is kept as a step of its own
	if s.Call != nil && s.Event.Phase == schema.Exit {
		k.Enter = s.Call.Enter.ID
	}
	return k
}

// finish judges what only the end of the trace decides.
func (c *collector) finish() {
	c.mute = c.only != nil
	for _, k := range c.kinds {
		if c.view.kind = k; k.end != nil {
			k.end(&c.view)
		}
	}
	c.tellUnreturned()
	if c.lines != nil {
		c.suggested(c.log())
	}
	c.f.Forgotten = c.state.Objects.Forgotten()
	c.f.Lost, c.f.Windows = c.state.Losses.Total, c.state.Losses.Windows()
	if c.f.Footer != nil {
		c.f.Lost = max(c.f.Lost, c.f.Footer.Lost)
	}
	switch f := c.f; {
	case c.state.Losses.Late:
		f.void(LateLoss)
	case f.Footer != nil && (f.Footer.Lost != c.state.Losses.Recorded || c.miscounted):
		f.void(OtherLosses)
	case f.Footer == nil && !f.Cut && len(f.Damage) > 0:
		f.void(DamagedFile)
	}
	for _, p := range c.f.Programs {
		p.Items = unlike(p.Items)
		if o := c.processCounts.of[p.Comm]; o != nil {
			p.Processes, p.Exits, p.OtherExits = len(o.members), o.exits, o.others
		}
		p.MoreProcesses = c.processCounts.full
	}
}

// void takes back every verdict.
func (f *Findings) void(why *Reason) {
	f.Void, f.kept = why, 0
	f.Tally.void()
	f.examples = [maxKinds]Example{}
	f.Doubts = []Doubt{{Claim: Claim{Why: why}, Count: f.Tally.Total(Unproven), Subjects: []string{"every path"}}}
	take := func(claims []Claim) {
		for i := range claims {
			if claims[i].Verdict != Unproven {
				claims[i].Verdict, claims[i].Why, claims[i].About = Unproven, why, About{}
			}
		}
	}
	for _, p := range f.Programs {
		p.Tally.void()
		take(p.Claims)
		for _, it := range p.Items {
			take(it.Claims)
		}
	}
}

// doubted is the kind of a claim in doubt; where nothing can be proven it is every one.
func (f *Findings) doubted(cl *Claim) string {
	if f.Void != nil {
		return "every claim"
	}
	return cl.Kind.String()
}

func (t *Tally) void() {
	for k := range t {
		t[k][Unproven] += t[k][Proven] + t[k][Refuted]
		t[k][Proven], t[k][Refuted] = 0, 0
	}
}
