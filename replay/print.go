// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"errors"
	"io"

	"github.com/dtrec/dtrec/schema"
)

// printChunk is how much is gathered before it is written, bytes.
const printChunk = 64 << 10

// Format is one way to print a trace: NewText, NewDmesg or NewJSON. A Format
// prints one trace.
type Format interface {
	begin(dst []byte, h *schema.Header) []byte
	event(dst []byte, s *Step) []byte
	loss(dst []byte, l *schema.Loss) []byte
	damage(dst []byte, d *schema.Damage, last uint64) []byte
	program(dst []byte, p *schema.Program) []byte
	footer(dst []byte, f *schema.Footer) []byte
	// cut ends a trace without a footer; last is the id of the last event known of.
	cut(dst []byte, last uint64) []byte
}

// observer is a format that is shown all events, also those that do not match, before it prints one.
type observer interface{ observe(*Step) }

// Print prints a trace to its end: the events that match the filter, and all loss
// and damage in its place. What was read before an error is printed. Its memory
// does not depend on the length of the trace. Where no event is shown, empty says why
// in lines: what the filter asks for in vain, and the nearest there is. Of a Seekable source
// only those frames are read that may hold what the filter asks for, and the ones before them.
func Print(w io.Writer, src Source, filter *Filter, format Format) (empty []string, err error) {
	p := printer{src: src, filter: filter, all: filter.IsZero(), format: format, unmet: newUnmet(filter)}
	p.observer, _ = format.(observer)
	if filter.ofCalls() {
		p.model = NewModel(src.Header())
		p.model.Call = func(c *PathCall) { p.ended = c }
		p.state = p.model.State
	} else {
		p.state = New(src.Header())
		p.state.Objects.spent.on = true
	}
	if s, ok := src.(Seekable); ok && s.Index() != nil && filter.skips() {
		s.Skip(p.wanted)
	}
	p.out = newOutput(w, format)
	p.out.add(func(b []byte) []byte { return format.begin(b, src.Header()) })
	for err == nil && p.out.on() {
		err = p.next()
	}
	if werr := p.out.close(); werr != nil {
		return nil, errors.Join(werr, ignoreEOF(err))
	}
	return p.unmet.why(), ignoreEOF(err)
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// Seekable is a source that can pass over frames: a schema.Reader of a file.
type Seekable interface {
	Source
	Index() *schema.Index // nil: it can not
	Skip(wanted func(frame int) bool)
}

// wanted reports whether a frame is to be read: what the filter asks for may be in it, or in
// the next one, so that its calls have their entries, or calls that it asks for go on.
func (p *printer) wanted(frame int) bool {
	x := p.src.(Seekable).Index()
	if p.filter.mayBeIn(x, frame) || frame+1 < len(x.Offset) && p.filter.mayBeIn(x, frame+1) {
		return true
	}
	if len(p.filter.Paths) == 0 || p.filter.over(x, frame) {
		return false
	}
	goesOn := false
	p.state.InProgress(func(c *Call) {
		goesOn = goesOn || c.Open == c && among(p.filter.Paths, c.Enter.Name)
	})
	return goesOn
}

type printer struct {
	src      Source
	filter   *Filter
	all      bool // of which it takes all
	format   Format
	state    *State
	model    *Model    // where the filter asks for calls, else nil
	ended    *PathCall // by the last event; nil: none
	observer observer  // nil: the format is none
	out      *output
	last     uint64 // id of the last event read or known to be missing
	complete bool
	unmet    *unmet
}

// next prints one record. io.EOF: that was all.
func (p *printer) next() error {
	rec, err := p.src.Next()
	if err != nil {
		if err == io.EOF && !p.complete {
			p.out.add(func(b []byte) []byte { return p.format.cut(b, p.last) })
		}
		return err
	}
	switch rec := rec.(type) {
	case *schema.Event:
		p.last = rec.ID
		step, call := p.apply(rec)
		if p.observer != nil {
			p.observer.observe(step)
		}
		if !p.unmet.shown {
			p.unmet.see(step)
		}
		if p.all || p.filter.Match(step, call) {
			p.unmet.matched++
			shown := p.out.event(step)
			p.unmet.shown = p.unmet.shown || shown
		}
	case *schema.Skipped:
		p.last += rec.Events
		p.state.Skipped()
	case *schema.Loss:
		p.state.Loss(rec)
		p.out.add(func(b []byte) []byte { return p.format.loss(b, rec) })
	case *schema.Damage:
		p.state.Damage(rec)
		p.last += rec.Events
		last := p.last
		p.out.add(func(b []byte) []byte { return p.format.damage(b, rec, last) })
	case *schema.Program:
		if p.filter.program(rec) {
			p.out.add(func(b []byte) []byte { return p.format.program(b, rec) })
		}
	case *schema.Footer:
		p.complete = true
		p.out.add(func(b []byte) []byte { return p.format.footer(b, rec) })
	}
	return nil
}

// field is a row of the columns table and what stands before its value.
type field struct {
	schema.Field
	text, json string
}

// fields are those of each column but the usual ones.
var fields = func() (out [32][]field) {
	for c, of := range schema.Fields() {
		for _, f := range of {
			out[c] = append(out[c], field{f, " " + f.Name + "=", `,"` + f.Name + `":`})
		}
	}
	return out
}()

const usual = 1<<schema.ColumnKey | 1<<schema.ColumnNameAddr | 1<<schema.ColumnDentry

// apply applies an event, and returns the path call that it ends, or else the one it is in, if
// the filter asks for calls.
func (p *printer) apply(e *schema.Event) (step *Step, call *PathCall) {
	if p.model == nil {
		step = p.state.Event(e)
	} else {
		p.ended = nil
		step = p.model.Record(e)
		if call = p.ended; call == nil || call.End != e.ID {
			call = p.model.Around().Call
		}
	}
	if len(p.filter.Paths) > 0 {
		step.path = p.state.walking(step)
	}
	return step, call
}

// symbols is which kernel symbol plays a role in a phase.
type symbols [maxRole][schema.Whole + 1]string

const maxRole = 64

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

// of returns the symbol, that of the other phase where only that one is named, and
// "" where the header names none.
func (s *symbols) of(r schema.Role, p schema.Phase) string {
	slot := s.slot(r, p)
	if slot == nil {
		return ""
	}
	return cmp.Or(*slot, s[r][schema.Enter], s[r][schema.Exit])
}

// appendLoss says what a loss record counts, and when.
func appendLoss(dst []byte, l *schema.Loss) []byte {
	dst = appendPadded(dst, l.Count, 0)
	dst = append(dst, ' ')
	if l.Role != schema.Role_ROLE_UNSPECIFIED {
		dst = append(append(dst, l.Role.Label()...), ' ')
	}
	switch l.Cause {
	case schema.LossCause_LOSS_CAUSE_UNREADABLE_NAME:
		dst = append(dst, "names could not be read"...)
	case schema.LossCause_LOSS_CAUSE_UNWATCHED:
		dst = append(dst, "dentries not watched, the watch set is full"...)
	case schema.LossCause_LOSS_CAUSE_WATCH_OVERFLOW:
		dst = append(dst, "processes not followed, the set of them is full"...)
	default:
		dst = append(append(dst, "events lost: "...), l.Cause.Label()...)
	}
	dst = append(dst, ", cpu "...)
	dst = appendPadded(dst, uint64(l.Cpu), 0)
	dst = append(dst, ", from "...)
	dst = appendSeconds(dst, l.FirstNs, 0)
	dst = append(dst, " to "...)
	return appendSeconds(dst, l.LastNs, 0)
}

// appendDamage says what is missing; last is the id of the last missing event.
func appendDamage(dst []byte, d *schema.Damage, last uint64) []byte {
	dst = append(dst, "file damaged at byte "...)
	dst = appendPadded(dst, uint64(d.Offset), 0)
	dst = append(dst, ": "...)
	switch {
	case d.Behind:
		dst = append(dst, "it is behind the end of the run, no event is missing"...)
	case d.Cut:
		dst = append(dst, "it ends here, inside a frame"...)
	case d.Events > 0:
		dst = append(dst, "events #"...)
		dst = appendPadded(dst, last-d.Events+1, 0)
		dst = append(dst, " to #"...)
		dst = appendPadded(dst, last, 0)
		dst = append(dst, " are missing"...)
	default:
		dst = append(dst, "no event is known to be missing"...)
	}
	return dst
}
