// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"io"
	"runtime"
	"sync/atomic"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// output writes lines in order. With more than one CPU, another goroutine formats them from copies of the
// steps.
type output struct {
	w       io.Writer
	format  Format
	buf     *shown.Text
	err     error
	filling *sheet
	full    chan *sheet // nil: lines are formatted at once
	empty   chan *sheet
	failed  atomic.Bool // the output could not be written
	done    chan struct{}
}

// sheet holds lines that are still to be formatted.
type sheet struct {
	lines [sheetLines]line
	used  int
}

const (
	sheetLines = 512
	sheets     = 3 // one is being filled, one formatted, and one waits
)

// line is a copy of a step, as far as formats read it; or the function that formats another kind of line.
type line struct {
	step       Step
	event      schema.Event
	entry      schema.Event // event's Entry, if it has one
	call, open Call
	object     Object
	other      func(*shown.Text)
}

// newSheetText returns a text with room for what is written at once.
func newSheetText() *shown.Text {
	t := new(shown.Text)
	t.MakeRoom(printChunk + printChunk/4)
	return t
}

// newOutput returns an output, which must be closed.
func newOutput(w io.Writer, format Format) *output {
	o := &output{w: w, format: format, buf: newSheetText()}
	if _, observes := format.(observer); observes || runtime.GOMAXPROCS(0) == 1 {
		return o
	}
	o.full, o.empty, o.done = make(chan *sheet, sheets), make(chan *sheet, sheets), make(chan struct{})
	o.filling = new(sheet)
	for range sheets - 1 {
		o.empty <- new(sheet)
	}
	go o.formatSheets()
	return o
}

// formatSheets formats the lines of sheets until there are no more. It uses an output of its own, to keep what it
// writes for each line apart in memory from what the other goroutine reads for each.
func (o *output) formatSheets() {
	own := &output{w: o.w, format: o.format, buf: newSheetText()}
	for s := range o.full {
		for i := range s.lines[:s.used] {
			if l := &s.lines[i]; l.other != nil {
				own.add(l.other)
			} else {
				own.event(&l.step)
			}
		}
		if !own.canWrite() {
			o.failed.Store(true)
		}
		o.empty <- s
	}
	own.flush()
	o.err = own.err
	close(o.done)
}

// event has the format print a step. It reports whether the format has a line for it; with another
// goroutine, always true.
func (o *output) event(s *Step) (shown bool) {
	if o.full == nil {
		before := o.buf.Len()
		o.format.event(o.buf, s)
		after := o.buf.Len()
		if after >= printChunk {
			o.flush()
		}
		return after > before
	}
	o.next().copy(s)
	return true
}

// add appends lines of another kind.
func (o *output) add(lines func(*shown.Text)) {
	if o.full != nil {
		o.next().other = lines
		return
	}
	if lines(o.buf); o.buf.Len() >= printChunk {
		o.flush()
	}
}

// canWrite reports whether the output can still be written.
func (o *output) canWrite() bool { return !o.failed.Load() }

// next returns the line to be filled next.
func (o *output) next() *line {
	if o.filling.used == sheetLines {
		o.full <- o.filling
		o.filling = <-o.empty
		o.filling.used = 0
	}
	o.filling.used++
	return &o.filling.lines[o.filling.used-1]
}

// copy copies what formats read of a step, as the step changes before they read it.
func (l *line) copy(s *Step) {
	l.other = nil
	l.step = Step{Event: &l.event, Depth: s.Depth, Stray: s.Stray}
	if l.event = *s.Event; l.event.Entry != nil {
		l.entry = *l.event.Entry
		l.event.Entry = &l.entry
	} else if s.Call != nil && s.Event.Phase == schema.Exit {
		l.call.Path, l.call.enter.ID = s.Call.Path, s.Call.Enter.ID
		l.call.Enter, l.step.Call = &l.call.enter, &l.call
	}
	if s.Open != nil {
		l.open.enter.ID, l.open.enter.Flags = s.Open.Enter.ID, s.Open.Enter.Flags
		l.open.Enter, l.step.Open = &l.open.enter, &l.open
	}
	if s.Object != nil {
		l.object.Seq, l.step.Object = s.Object.Seq, &l.object
	}
}

// flush writes what has been gathered, or drops it after an error.
func (o *output) flush() {
	if o.err == nil {
		_, o.err = o.buf.WriteTo(o.w)
	}
	if o.buf.Truncate(0); o.err != nil {
		o.failed.Store(true)
	}
}

// close writes the rest, and returns the first error.
func (o *output) close() error {
	if o.full == nil {
		o.flush()
	} else {
		o.full <- o.filling
		close(o.full)
		<-o.done
	}
	return o.err
}
