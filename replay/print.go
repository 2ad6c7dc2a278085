// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"errors"
	"io"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// printChunk is how many bytes are gathered before they are written.
const printChunk = 64 << 10

// Format is one way to print a trace: NewText, NewDmesg or NewJSON. A Format prints one trace.
type Format interface {
	begin(dst *shown.Text, h *schema.Header)
	event(dst *shown.Text, s *Step)
	loss(dst *shown.Text, l *schema.Loss)
	damage(dst *shown.Text, d *schema.Damage, last uint64)
	program(dst *shown.Text, p *schema.Program)
	footer(dst *shown.Text, f *schema.Footer)
	// cut ends a trace without a footer; last is the id of the last known event.
	cut(dst *shown.Text, last uint64)
}

// observer is a format that is shown each event before event is called, even one that does not match.
type observer interface{ observe(*Step) }

// Print prints a trace to its end: the events that match the filter, and every loss and damage where it
// stands. What was read before an error is printed. Its memory does not depend on the length of the trace.
// If no event is shown, empty has lines that say why: what the filter asks for in vain, and the nearest
// match. Of a Seekable source it reads only the frames that may hold what the filter asks for, and the
// frame before each.
func Print(w io.Writer, src Source, filter *Filter, format Format) (empty []string, err error) {
	p := printer{src: src, filter: filter, picksAll: filter.IsZero(), format: format, unmet: newUnmet(filter)}
	p.observer, _ = format.(observer)
	p.fastPath = p.picksAll && p.observer == nil
	if filter.needsCalls() {
		p.model = newCallModel(src.Header())
		p.state = p.model.State
	} else {
		p.state = New(src.Header())
		p.state.Objects.numbersOnly, p.state.Objects.freeList.enabled = true, true
	}
	if s, ok := src.(Seekable); ok && s.Index() != nil && filter.canSkipFrames() {
		s.Skip(p.wanted)
	}
	p.out = newOutput(w, format)
	p.out.add(func(t *shown.Text) { format.begin(t, src.Header()) })
	for err == nil && p.out.canWrite() {
		err = p.next()
	}
	if werr := p.out.close(); werr != nil {
		return nil, errors.Join(werr, ignoreEOF(err))
	}
	return p.unmet.reasons(), ignoreEOF(err)
}

// Read calls do for each record of a source, to its end. The error is the source's.
func Read(src Source, do func(schema.Record)) error {
	for {
		rec, err := src.Next()
		if err != nil {
			return ignoreEOF(err)
		}
		do(rec)
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// Seekable is a source that can skip frames: a schema.Reader of a file.
type Seekable interface {
	Source
	Index() *schema.Index // nil: it cannot skip
	Skip(wanted func(frame int) bool)
}

// wanted reports whether a frame is to be read: a match may be in it, or in the next frame (so that the
// calls there have their entries), or a call that the filter asks for is still in progress.
func (p *printer) wanted(frame int) bool {
	x := p.src.(Seekable).Index()
	if p.filter.mayMatchFrame(x, frame) || frame+1 < len(x.Offset) && p.filter.mayMatchFrame(x, frame+1) {
		return true
	}
	if len(p.filter.Paths) == 0 || p.filter.endsBefore(x, frame) {
		return false
	}
	goesOn := false
	p.state.EachInProgress(func(c *Call) {
		goesOn = goesOn || callRoles.Has(c.Enter.Role) && matchesAny(p.filter.Paths, c.Path)
	})
	return goesOn
}

type printer struct {
	src      Source
	filter   *Filter
	picksAll bool // the filter picks all
	fastPath bool // picksAll, and the format is no observer
	format   Format
	state    *State
	model    *callModel // where the filter asks for calls, else nil
	observer observer   // nil: the format is none
	out      *output
	last     uint64 // id of the last event read or known to be missing
	complete bool
	unmet    *unmet
}

// next prints one record. It returns io.EOF at the end.
func (p *printer) next() error {
	rec, err := p.src.Next()
	if err != nil {
		if err == io.EOF && !p.complete {
			p.out.add(func(t *shown.Text) { p.format.cut(t, p.last) })
		}
		return err
	}
	switch e, ok := rec.(*schema.Event); {
	case ok && p.fastPath && p.unmet.shown: // most often
		p.last = e.ID
		p.out.event(p.state.Event(e))
	case ok:
		p.event(e)
	default:
		p.printOther(rec)
	}
	return nil
}

func (p *printer) event(e *schema.Event) {
	p.last = e.ID
	step, call := p.apply(e)
	if p.observer != nil {
		p.observer.observe(step)
	}
	if !p.unmet.shown {
		p.unmet.see(step, call)
	}
	if p.picksAll || p.filter.Match(step, call) {
		p.unmet.matched++
		if p.out.event(step) {
			p.unmet.shown = true
		}
	}
}

func (p *printer) printOther(rec schema.Record) {
	switch rec := rec.(type) {
	case *schema.Skipped:
		p.last += rec.Events
		p.state.Skipped()
	case *schema.Loss:
		p.state.Loss(rec)
		p.out.add(func(t *shown.Text) { p.format.loss(t, rec) })
	case *schema.Damage:
		p.state.Damage(rec)
		p.last += rec.Events
		last := p.last
		p.out.add(func(t *shown.Text) { p.format.damage(t, rec, last) })
	case *schema.Program:
		if p.filter.matchesProgram(rec) {
			p.out.add(func(t *shown.Text) { p.format.program(t, rec) })
		}
	case *schema.Footer:
		p.complete = true
		p.out.add(func(t *shown.Text) { p.format.footer(t, rec) })
	}
}

// field is a value of the columns table, with the texts that stand before it.
type field struct {
	schema.Field
	text, json shown.Text
}

// fields holds those of each column except the usual ones.
var fields = func() (out [32][]field) {
	for c, of := range schema.Fields() {
		for _, f := range of {
			out[c] = append(out[c], field{f, shown.Word(" " + f.Name + "="), shown.Word(`,"` + f.Name + `":`)})
		}
	}
	return out
}()

const usualColumns = 1<<schema.ColumnKey | 1<<schema.ColumnNameAddr | 1<<schema.ColumnDentry

// apply applies an event. If the filter asks for calls, it also returns the path call that the event ends,
// or else the one it is in.
func (p *printer) apply(e *schema.Event) (step *Step, call *PathCall) {
	if p.model == nil {
		step = p.state.Event(e)
	} else {
		step, call = p.model.record(e)
	}
	if len(p.filter.Paths) > 0 {
		step.path = p.state.callPath(step)
	}
	return step, call
}

// symbols holds the kernel symbol of each role and phase.
type symbols [maxRole][schema.Whole + 1]string

func newSymbols(h *schema.Header) *symbols {
	var s symbols
	for _, p := range h.GetProbe() {
		for _, phase := range append(p.Phases(), p.Phase) {
			if slot := s.slot(p.Role, phase); p.Attached && slot != nil && *slot == "" {
				*slot = p.Symbol
			}
		}
	}
	return &s
}

func (s *symbols) slot(r schema.Role, p schema.Phase) *string {
	if r < 0 || r >= maxRole || p < 0 || p > schema.Whole {
		return nil
	}
	return &s[r][p]
}

// symbol returns the symbol of a role and phase, or that of another phase if only that is named, or "".
func (s *symbols) symbol(r schema.Role, p schema.Phase) string {
	slot := s.slot(r, p)
	if slot == nil {
		return ""
	}
	return cmp.Or(*slot, s[r][schema.Enter], s[r][schema.Exit])
}

// putLoss appends what a loss record counts, and when.
func putLoss(dst *shown.Text, l *schema.Loss) {
	dst.Uint(l.Count)
	dst.Put(" ")
	if l.Role != schema.Role_ROLE_UNSPECIFIED {
		dst.Word(l.Role.Label())
		dst.Put(" ")
	}
	if c := causes[l.Cause]; c.counts != "" {
		dst.Word(c.counts)
	} else {
		dst.Put("events lost: ")
		dst.Word(l.Cause.Label())
	}
	dst.Put(", cpu ")
	dst.Uint(uint64(l.Cpu))
	dst.Put(", from ")
	dst.Seconds(l.FirstNs, 0)
	dst.Put(" to ")
	dst.Seconds(l.LastNs, 0)
}

// putDamage appends what is missing; last is the id of the last missing event.
func putDamage(dst *shown.Text, d *schema.Damage, last uint64) {
	dst.Put("file damaged at byte ")
	dst.Uint(uint64(d.Offset))
	dst.Put(": ")
	switch {
	case d.Behind:
		dst.Put("it is behind the end of the run, and no event is missing")
	case d.Cut:
		dst.Put("it ends here, inside a frame")
	case d.Events > 0:
		dst.Put("events ")
		dst.ID(last-d.Events+1, 0)
		dst.Put(" to ")
		dst.ID(last, 0)
		dst.Put(" are missing")
	default:
		dst.Put("no event is known to be missing")
	}
}
