// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"io"
	"runtime"
	"sync/atomic"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// output is where lines go, in order. Where there is a second processor they are made on it, of copies of what they say.
type output struct {
	w       io.Writer
	format  Format
	buf     *shown.Text
	err     error
	filling *sheet
	full    chan *sheet // nil: lines are made at once
	empty   chan *sheet
	failed  atomic.Bool // what is made can not be written
	done    chan struct{}
}

// sheet is some lines that are still to be made.
type sheet struct {
	lines [sheetLines]line
	used  int
}

const (
	sheetLines = 512
	sheets     = 3 // one is filled, one made, and one waits
)

// line is a copy of a step, as far as formats read it; or what makes a line of another kind.
type line struct {
	step       Step
	event      schema.Event
	entry      schema.Event // of event, where it has one
	call, open Call
	object     Object
	other      func(*shown.Text)
}

// newSheetText has room for what is written at once.
func newSheetText() *shown.Text {
	t := new(shown.Text)
	t.MakeRoom(printChunk + printChunk/4)
	return t
}

// newOutput needs a close.
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
	go o.make()
	return o
}

// make makes the lines of sheets until there are no more. What it writes for each line lies apart from what the other
// goroutine reads for each.
func (o *output) make() {
	own := &output{w: o.w, format: o.format, buf: newSheetText()}
	for s := range o.full {
		for i := range s.lines[:s.used] {
			if l := &s.lines[i]; l.other != nil {
				own.add(l.other)
			} else {
				own.event(&l.step)
			}
		}
		if !own.on() {
			o.failed.Store(true)
		}
		o.empty <- s
	}
	own.flush()
	o.err = own.err
	close(o.done)
}

// event has the format print a step, and reports whether it has a line for it.
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

// add has other lines printed.
func (o *output) add(lines func(*shown.Text)) {
	if o.full != nil {
		o.next().other = lines
		return
	}
	if lines(o.buf); o.buf.Len() >= printChunk {
		o.flush()
	}
}

// on reports whether the output takes more.
func (o *output) on() bool { return !o.failed.Load() }

// next is the line to be filled.
func (o *output) next() *line {
	if o.filling.used == sheetLines {
		o.full <- o.filling
		o.filling = <-o.empty
		o.filling.used = 0
	}
	o.filling.used++
	return &o.filling.lines[o.filling.used-1]
}

// copy takes what formats read of a step, which is another one by the time they do.
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

// flush writes what is gathered. After an error nothing more is.
func (o *output) flush() {
	if o.err == nil {
		_, o.err = o.buf.WriteTo(o.w)
	}
	if o.buf.Truncate(0); o.err != nil {
		o.failed.Store(true)
	}
}

// close writes the rest, and returns what went wrong.
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
