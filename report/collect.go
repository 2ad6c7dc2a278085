// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// collector turns the records of a trace into findings in one pass.
type collector struct {
	Options
	f             *Findings
	state         *replay.State // that of Beside
	layout        *schema.Layout
	programs      map[string]*Program
	last          *Program // the program returned last
	comm          string   // its name
	walks         []*walk  // spare ones for reuse
	within        []*walk  // walks in progress by Call.Tag; nil at 0 and at unused tags
	free          []int    // unused tags
	view          view     // the claim that is being made
	terms         []Term   // operands of the claim that is being judged
	rows          []row    // components of the walk that is being judged; reused
	links         int      // number of names in that walk that are not in its path
	again         bool     // that walk came back to a component before the one it was at
	drafts        drafts   // the claims of that walk while it is not picked
	tail          row      // the last name outside the path, if no component of the path was looked up after it
	latest        uint64   // id of the last event
	processCounts processCounts
	executed      map[uint32]uint64 // by thread id: the exec in progress whose file has been opened

	room      int  // bytes left for what is kept, of keptBudget
	stepsFull bool // the opens in progress have too many events: further ones are not looked at
	added     int  // events since these were last counted

	attached  replay.Roles // roles recorded in all their phases
	uncounted replay.Roles // roles whose missed hits are not counted
	logged    replay.Roles // roles read from a kernel log

	unreturned []unreturned // opens and walks without a recorded exit

	imported bool  // the events are lines of a kernel log
	lines    *Item // the lines since the last open; nil if they are not kept

	miscounted bool // the footer has a wrong number of events

	kinds []*kind // all kinds, by number
	looks byRole  // the kinds that look at an event

	mute   bool    // claims made with the current event do not count, see Options.Only
	nobody Program // the program of claims that do not count

	moment Moment // the argument of Follow, reused
}

// record applies one record. It returns where an event stands, and nil for any other record.
func (c *collector) record(rec schema.Record) *replay.Step {
	s := c.Beside.Record(rec)
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

func newCollector(h *schema.Header, o Options) *collector {
	c := &collector{
		Options:       o,
		f:             &Findings{Header: h, labels: newLabels(h), Unmet: slices.Clone(o.Select)},
		state:         o.Beside.State(),
		layout:        h.GetLayout(),
		programs:      make(map[string]*Program),
		within:        make([]*walk, 1),
		processCounts: processCounts{of: make(map[string]*sameName), births: make(map[uint32]uint32)},
		imported:      h.Logged(),
		room:          keptBudget,
	}
	c.state.Objects.OnForget(c.forgotten)
	c.attached, c.uncounted = replay.RecordedRoles(h)
	for _, p := range h.GetProbe() {
		if p.Attached {
			c.f.Attached |= replay.RolesOf(p.Role)
			if p.Attach == schema.Attach_ATTACH_DMESG {
				c.logged |= replay.RolesOf(p.Role)
			}
		}
	}
	for _, k := range allKinds() {
		c.kinds = append(c.kinds, made(k.make))
	}
	c.view.collector = c
	c.looks = looking(c.kinds)
	c.state.OnGivenUp(c.givenUp)
	c.attached |= c.logged // so that claims on a log are unproven for FromLog, not for NotAttached
	return c
}

// event takes an event after the state has said where it stands and which dentry it is about.
//
//  1. The kinds of claim that look at events of its role see it, and judge what can be
//     judged from the event alone.
//  2. It joins the open around it. The exit of that open is judged as a whole.
//  3. Outside any open it joins another walk around it, which is judged when it ends, and it is
//     kept for the section of its program.
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
	if !c.Bare {
		c.processCounts.see(e)
	}
	if c.mute = c.Only != nil && !c.Only(); e.Phase == schema.Exit && executing.Has(e.Role) {
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
	if s.MaybeOpen == nil {
		c.passes(s)
	}
	switch {
	case s.MaybeOpen == nil && c.mute:
	case s.MaybeOpen == nil:
		c.outside(s)
	case s.Call == s.MaybeOpen && e.Phase == schema.Enter:
		w := c.begins(s.MaybeOpen)
		w.execs, w.picked = e.Execute() && c.executes(e), !c.mute
		w.add(s, true)
		if w.picked {
			c.program(e)
		}
	default:
		if w := c.within[s.MaybeOpen.Tag]; w != nil {
			w.picked = w.picked || !c.mute
			w.add(s, c.roomForSteps())
			if s.Call == s.MaybeOpen {
				c.ended(w)
				c.recycle(s.MaybeOpen)
			}
		}
	}
}

// look shows the event to the kinds of claim that look at its role. The role must be a known one.
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

// program returns the program of the event's task. Beyond maxPrograms it is one without a section.
func (c *collector) program(e *schema.Event) *Program {
	if c.last != nil && c.comm == e.Comm {
		c.comm = e.Comm // usually the same string as that of the next event, which makes the comparison cheap
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
		if len(c.programs) > 16*maxPrograms { // too many names: further ones are no longer counted
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
	p := c.program(&schema.Event{Comm: shown.FromStored(rec.Name), PID: rec.Pid})
	if p.PID = rec.Pid; p.kept {
		p.Source, p.Stdout = slices.Clone(rec.Source), string(rec.Stdout)
	}
}

// untold are the roles whose events are never kept outside an open; the head of a section sums up those of
// processes. reclaims are the roles whose events may come from reclaim, so that outside keeps only some of
// them.
var (
	untold   = replay.RolesOf(schema.RoleFork, schema.RoleExec, schema.RoleExit, schema.RoleFree)
	reclaims = replay.RolesOf(schema.RoleKill, schema.RoleDrop)
)

// outside keeps what a program does to dentries outside any open: unlink, rename, drop_caches.
func (c *collector) outside(s *replay.Step) {
	e := s.Event
	if untold.Has(e.Role) {
		return
	}
	if reclaims.Has(e.Role) {
		if s.Object == nil || s.Object.Notes == nil {
			return // no open in this report is about it
		}
		if _, known := c.programs[e.Comm]; !known {
			return // reclaim by a task without a section; the claim that needs this event cites it
		}
	}
	p := c.program(e)
	if !p.kept || c.Bare {
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
	s.EachPhase(func(s *replay.Step) { c.keep(it, stepOf(s)) })
}

// keep adds a step to an item if there is room. The exit of a call that is recorded as one event is kept if
// its entry was.
func (c *collector) keep(it *Item, s Step) {
	cost := stepBytes + nameCost*len(s.Event.Name)
	switch again := s.Event.ID == it.newest; {
	case again && it.full:
		return
	case again: // whatever the room is: letGo gives it back
		c.room -= cost
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
	k.Event.Entry = nil // the entry is kept as a step of its own
	if s.Call != nil && s.Event.Phase == schema.Exit {
		k.Enter = s.Call.Enter.ID
	}
	return k
}

// finish judges what can only be decided at the end of the trace, and completes the findings.
func (c *collector) finish() {
	c.mute = c.Only != nil
	for _, k := range c.kinds {
		if c.view.kind = k; k.end != nil {
			k.end(&c.view)
		}
	}
	c.judgeUnreturned()
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

// void makes every verdict unproven, for one reason.
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

// doubted returns the kind of a claim in doubt, or "every claim" if nothing can be proven.
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
