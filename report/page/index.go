// SPDX-License-Identifier: Apache-2.0

package page

import (
	"path"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Bounds on what is kept of a trace.
const (
	maxUses    = 4096 // different meanings of one value
	maxWindows = 1024 // opens that a page may mean by one address
	maxWindow  = 4096 // events of one open
)

// seen is an event as it stood in the trace.
type seen struct {
	schema.Event
	dentry uint64 // the number of its dentry, D1 …; 0 none
	enter  uint64 // of a return, its entry; 0 not known
}

// use is one meaning of a value: it stood in this field of this event, and perhaps of
// later ones alike.
type use struct {
	*seen
	field field
}

// meaning is what makes two uses of one value alike.
type meaning struct {
	value  uint64
	role   schema.Role
	phase  schema.Phase
	symbol string
	field  field
	name   string
	dentry uint64
}

// window is one open and the events in it.
type window struct {
	enter  seen
	events []seen
}

// Run is what a page wants to know of a trace.
type Run struct {
	page     *Page
	header   *schema.Header
	imported bool
	state    *replay.State
	uses     map[uint64][]use
	met      map[meaning]bool
	cited    map[uint64]seen
	windows  map[uint64][]*window // by the address of the path
	open     map[uint64]*window   // by the id of the open's entry, live traces
	current  *window              // of the lines since the last open, imported traces
	nulls    []*seen              // the first return of NULL by role and symbol
	odd      map[string]bool      // names that look like a statement
}

// Look begins a trace with its header. Give it every record in order.
func Look(p *Page, h *schema.Header) *Run {
	return &Run{page: p, header: h, imported: h.Imported(), state: replay.New(h), uses: make(map[uint64][]use),
		met: make(map[meaning]bool), cited: make(map[uint64]seen), windows: make(map[uint64][]*window),
		open: make(map[uint64]*window), odd: make(map[string]bool)}
}

// Record takes in what of a record the page is about.
func (x *Run) Record(rec schema.Record) {
	switch rec := rec.(type) {
	case *schema.Event:
		x.event(x.state.Event(rec))
	case *schema.Loss:
		x.state.Loss(rec)
	case *schema.Damage:
		x.state.Damage(rec)
	}
}

func (x *Run) event(s *replay.Step) {
	e := seen{Event: *s.Event}
	if s.Object != nil {
		e.dentry = s.Object.Seq
	}
	if s.Call != nil && e.Phase == schema.Exit {
		e.enter = s.Call.Enter.ID
	}
	if x.page.cited[e.ID] {
		x.cited[e.ID] = e
	}
	own := nameField
	if e.Dentry != 0 {
		x.meet(e.Dentry, itself, &e)
	}
	x.meet(e.NameAddr, own, &e)
	x.meet(e.Parent, parentField, &e)
	x.meet(e.Inode, inodeField, &e)
	x.meet(e.Bucket, bucketField, &e)
	x.meet(e.Target, otherField, &e)
	x.meet(e.Ret, otherField, &e)
	if e.Columns.Has(schema.ColumnKey) && e.Role != schema.RoleOpen {
		x.meet(uint64(e.Hash), hashField, &e)
	}
	if isNull(&e) {
		x.null(&e)
	}
	x.window(s, &e)
	x.name(&e)
}

// isNull reports whether the event returned NULL.
func isNull(e *seen) bool {
	return e.Columns.Has(schema.ColumnDentry) && e.Dentry == 0 && e.Phase == schema.Exit
}

func (x *Run) null(e *seen) {
	for _, n := range x.nulls {
		if n.Role == e.Role && n.Symbol == e.Symbol {
			return
		}
	}
	kept := *e
	x.nulls = append(x.nulls, &kept)
}

// meet keeps a value that the page wants, once for each of its meanings.
func (x *Run) meet(value uint64, f field, e *seen) {
	if value == 0 || !x.page.wanted[value] {
		return
	}
	m := meaning{value, e.Role, e.Phase, e.Symbol, f, e.Name, e.dentry}
	if x.met[m] || len(x.uses[value]) >= maxUses {
		return
	}
	x.met[m] = true
	kept := *e
	x.uses[value] = append(x.uses[value], use{&kept, f})
}

// window keeps the events of the opens that the page is about. In a log, which does
// not tell threads apart, an open has the lines up to its return or the next open.
func (x *Run) window(s *replay.Step, e *seen) {
	enter := e.Role == schema.RoleOpen && e.Phase == schema.Enter
	if enter {
		x.current = nil
		if at := x.windows[e.NameAddr]; x.page.wanted[e.NameAddr] && len(at) < maxWindows {
			x.current = &window{enter: *e}
			x.windows[e.NameAddr] = append(at, x.current)
			x.open[e.ID] = x.current
		}
	}
	w := x.current
	if !x.imported {
		if w = nil; s.Open != nil {
			w = x.open[s.Open.Enter.ID]
		}
	}
	exit := e.Role == schema.RoleOpen && e.Phase == schema.Exit
	if w != nil && x.imported && exit && !returns(w, e) {
		w = nil // a line of another open, whose entry is not in the log
	}
	if w != nil && len(w.events) < maxWindow {
		w.events = append(w.events, *e)
	}
	if exit {
		if x.current = nil; s.Open != nil {
			delete(x.open, s.Open.Enter.ID)
		}
	}
}

// returns reports whether a return in a log can be that of the open: the name it shows
// is the last of the path.
func returns(w *window, exit *seen) bool {
	return !exit.Columns.Has(schema.ColumnKey) || path.Base(w.enter.Name) == exit.Name
}
