// SPDX-License-Identifier: Apache-2.0

package html

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/dtrec/dtrec/schema"
)

// bounds limits how many items of each kind a page shows individually. Items beyond them are in the sums,
// and the page says how many it leaves out.
type bounds struct {
	calls   int // the first that failed, at most a third of them, and the longest
	objects int // the first ones; also limits processes
	events  int // the first ones, as steps
	claims  int // refuted, then unproven, then proven ones; the first of each
	proven  int // of each kind of claim
	text    int // bytes of all texts
}

// most holds the bounds of a page. They are halved, if necessary repeatedly, when long names would make the
// page larger than 2 MB.
var most = bounds{calls: 6000, objects: 6000, events: 30000, claims: 4000, proven: 200, text: 3 << 20}

func (b bounds) half() bounds {
	return bounds{b.calls / 2, b.objects / 2, b.events / 2, b.claims / 2, b.proven / 2, b.text}
}

// data is the value that the page's script reads. A text is an index into Strings, whose texts are
// printable. Ids are event ids, and times are nanoseconds since boot. Tables are stored by column, which
// keeps the page small.
type data struct {
	Name    string           `json:"name"`
	Run     string           `json:"run"`
	Command string           `json:"command"`
	Writer  string           `json:"writer"`
	Table   uint64           `json:"table,string"` // address of dentry_hashtable; 0: not known
	Shift   uint32           `json:"shift"`
	Summary *answers.Summary `json:"summary"`
	Show    []string         `json:"show"` // for each of the summary's findings, the command line that shows more
	Verdict report.Verdicts  `json:"verdicts"`
	Strings []string         `json:"strings"`
	Tasks   []task           `json:"tasks"`
	Calls   columns          `json:"calls"`
	Objects columns          `json:"objects"`
	Events  columns          `json:"events"`
	Claims  columns          `json:"claims"`
	Roles   []string         `json:"roles"`
	All     totals           `json:"all"`

	text   map[string]int
	bytes  int // size of Strings
	bounds bounds
}

// columns is a table: by name of a field its column. All columns have the same length.
type columns map[string][]any

func (c columns) add(row map[string]any) {
	for name, v := range row {
		c[name] = append(c[name], v)
	}
}

type task struct {
	PID     uint32 `json:"pid"`
	Parent  uint32 `json:"parent"`
	Program int    `json:"program"`
	First   uint64 `json:"first"`
	Last    uint64 `json:"last"`
	Ended   int    `json:"ended"`
	Calls   uint64 `json:"calls"`
	Failed  uint64 `json:"failed"`
}

// totals holds the number of items of each kind, shown or not.
type totals struct {
	Calls   int `json:"calls"`
	Objects int `json:"objects"`
	Events  int `json:"events"`
	Claims  int `json:"claims"`
}

// str returns the index of a text in Strings.
func (d *data) str(s string) int {
	if i, ok := d.text[s]; ok {
		return i
	}
	if d.bytes += len(s); d.bytes > d.bounds.text {
		return 0 // this page will not be written: bounded starts again with smaller bounds
	}
	s = strings.Clone(s) // it may be part of a larger buffer
	d.text[s] = len(d.Strings)
	d.Strings = append(d.Strings, s)
	return d.text[s]
}

// Source opens the trace. It is called again each time the bounds are halved.
type Source func() (replay.Source, error)

// collect reads the trace once, for the sums, the events and the claims together.
func collect(name string, open Source, bounds bounds) (*data, error) {
	d := &data{bounds: bounds, Name: replay.Printable(name), text: make(map[string]int), Strings: []string{}, Tasks: []task{}, Calls: columns{}, Objects: columns{}, Events: columns{}, Claims: columns{}}
	src, err := open()
	if err != nil {
		return nil, err
	}
	d.header(src.Header())
	g := newGathering(d, src.Header())
	f, claims, err := judged(src, g, bounds)
	if err != nil {
		return nil, err
	}
	d.Summary = g.sums.End()
	for _, f := range d.Summary.Findings {
		d.Show = append(d.Show, replay.CommandLine(append([]string{"dtrec"}, f.Command...)))
	}
	g.finish()
	d.Verdict, d.All.Claims = f.Verdicts(), claims.all
	for i := range claims.kept {
		d.claim(&claims.kept[i])
	}
	return d, nil
}

// gathering collects what happened while the trace is read. It is a report.Reading.
type gathering struct {
	*data
	sums      *answers.Summarizer
	m         *replay.Model // of sums
	calls     []callRow
	cut       bool   // calls have been dropped
	shortest  uint64 // duration of the shortest call that was kept then, ns
	failed    int
	negatives map[uint64][]uint64 // by Seq of a dentry: begin and end times of its spans without inode
	settled   map[uint64]uint64   // by Seq of an allocated dentry: time at which it first was in the hash table or had an inode
}

func newGathering(d *data, h *schema.Header) *gathering {
	sums := answers.NewSummarizer(h)
	g := &gathering{data: d, sums: sums, m: sums.Model(), negatives: make(map[uint64][]uint64), settled: make(map[uint64]uint64)}
	g.m.Call, g.m.Task, g.m.Negative, g.m.Object = both(g.m.Call, g.call), both(g.m.Task, g.task), both(g.m.Negative, g.negative), g.object
	return g
}

// both returns a hook that calls two hooks.
func both[T any](first, second func(T)) func(T) {
	return func(v T) {
		first(v)
		second(v)
	}
}

func (g *gathering) Record(rec schema.Record) *replay.Step {
	step := g.sums.Record(rec)
	if step != nil {
		g.settle(step)
		step.EachPhase(g.event)
	}
	return step
}

// settle records when an allocated dentry enters the hash table or gets an inode.
func (g *gathering) settle(s *replay.Step) {
	if d := s.Object; d != nil && d.Born != 0 && d.Seq <= uint64(g.bounds.objects) && (d.FirstInserted != 0 || d.Inode != 0) && g.settled[d.Seq] == 0 {
		g.settled[d.Seq] = s.Event.Time
	}
}

func (g *gathering) State() *replay.State { return g.m.State }

func (d *data) header(h *schema.Header) {
	d.Run = hexadecimal(h.RunId)
	d.Command, d.Writer = replay.RecordedCommand(h), replay.Printable(h.Writer)
	d.Table, d.Shift = h.GetLayout().GetDentryHashtable(), h.GetLayout().GetDHashShift()
	for _, info := range schema.Catalogue() {
		for len(d.Roles) <= int(info.Role) {
			d.Roles = append(d.Roles, "")
		}
		d.Roles[info.Role] = info.Name
	}
}

// callRow is a call before its texts have an index, since most calls are dropped again.
type callRow struct {
	id, took uint64
	fields   map[string]any
	parts    []any
}

func (g *gathering) call(c *replay.PathCall) {
	g.All.Calls++
	switch {
	case c.Failed() && g.failed < g.bounds.calls/3:
		g.failed++
		g.emit(rowOf(c))
	case !g.cut || c.Took > g.shortest:
		if g.calls = append(g.calls, rowOf(c)); len(g.calls) >= 2*g.bounds.calls {
			g.longest()
		}
	}
}

// longest keeps only the longest of the calls that have not been emitted.
func (g *gathering) longest() {
	slices.SortFunc(g.calls, func(a, b callRow) int { return cmp.Or(cmp.Compare(b.took, a.took), cmp.Compare(a.id, b.id)) })
	if room := g.bounds.calls - g.failed; len(g.calls) > room {
		clear(g.calls[room:])
		g.calls, g.cut, g.shortest = g.calls[:room], true, 0
		if room > 0 {
			g.shortest = g.calls[room-1].took
		}
	}
}

func rowOf(c *replay.PathCall) callRow {
	var errno any = -1
	if c.Failed() {
		errno = schema.ErrnoName(c.Errno)
	}
	target := ""
	if c.Paths() != replay.Printable(c.Path) { // an operation on two paths
		target = strings.Clone(replay.PrintablePath(c.ResolvedTarget))
	}
	row := callRow{id: c.ID, took: c.Took, parts: make([]any, 0, len(c.Components))}
	for _, p := range c.Components {
		row.parts = append(row.parts, []any{owned(p.Name), p.Found, p.ID, seq(p.Dentry), p.Negative, p.Mount, p.Link})
	}
	row.fields = map[string]any{
		"id": c.ID, "end": c.End, "outer": c.Outer, "op": c.Operation, "pid": c.PID, "tid": c.TID, "program": owned(c.Program),
		"path": owned(c.Path), "target": target, "resolved": strings.Clone(replay.PrintablePath(c.Resolved)), "class": c.Class, "errno": errno, "at": c.At, "took": c.Took,
		"fs": owned(c.FSType), "asked": c.Filesystem, "restarts": c.Restarts, "allocs": c.Allocs, "negatives": c.Negatives,
		"object": seq(c.Dentry),
	}
	return row
}

// owned returns a name in printable form that does not share memory with the trace.
func owned(name string) string { return strings.Clone(replay.Printable(name)) }

// emit adds a call to the page and replaces its texts by their index.
func (g *gathering) emit(row callRow) {
	for _, name := range slices.Sorted(maps.Keys(row.fields)) { // sorted, so that the page is reproducible
		if text, ok := row.fields[name].(string); ok {
			row.fields[name] = g.str(text)
		}
	}
	for _, p := range row.parts {
		part := p.([]any)
		part[0] = g.str(part[0].(string))
	}
	row.fields["parts"] = row.parts
	g.Calls.add(row.fields)
}

func seq(d *replay.Object) uint64 {
	if d == nil {
		return 0
	}
	return d.Seq
}

func (g *gathering) task(t *replay.Task) {
	ended := ""
	if t.Exited != 0 {
		ended = t.Status.String()
	}
	if len(g.Tasks) < g.bounds.objects && !t.ThreadOnly() {
		g.Tasks = append(g.Tasks, task{t.PID, t.Parent, g.str(replay.Printable(t.Program)), t.FirstAt, t.LastAt, g.str(ended), t.Calls, t.Failed})
	}
}

func (g *gathering) negative(n *replay.Negative) {
	if len(g.negatives) < g.bounds.objects {
		g.negatives[n.Dentry.Seq] = append(g.negatives[n.Dentry.Seq], n.BornAt, n.EndAt)
	}
}

func (g *gathering) object(d *replay.Object) {
	if g.All.Objects++; d.Seq > uint64(g.bounds.objects) {
		return
	}
	inode := -1 // no event tells
	if negative, known := d.Negative(); known && negative {
		inode = 0
	} else if known {
		inode = 1
	}
	g.Objects.add(map[string]any{
		"seq": d.Seq, "address": hex(d.Addr), "name": g.str(replay.Printable(d.Name)), "path": g.str(replay.PrintablePath(g.m.Path(d))),
		"born": d.Born, "first": d.First, "firstAt": d.FirstAt, "inserted": d.Inserted, "hit": d.Hit, "killed": d.Killed, "killedAt": d.KillTime,
		"end": g.str(d.End()), "hash": d.Hash, "inode": inode,
	})
}

// event adds an event as a step.
func (g *gathering) event(s *replay.Step) {
	e := s.Event
	if g.All.Events++; g.All.Events > g.bounds.events {
		return
	}
	parent := uint64(0)
	if d := g.m.State.Objects.At(e.Parent); d != nil {
		parent = d.Seq
	}
	call := uint64(0)
	if around := g.m.EventContext(); around.Call != nil {
		call = around.Call.ID
	}
	g.Events.add(map[string]any{
		"id": e.ID, "at": e.Time, "role": e.Role, "exit": e.Phase == schema.Exit, "tid": e.TID, "depth": s.Depth, "object": seq(s.Object), "parent": parent,
		"name": g.str(replay.Printable(e.Name)), "inode": e.Inode != 0, "call": call, "null": e.Columns.Has(schema.ColumnDentry) && e.Dentry == 0,
		"out": e.Facts&schema.FactUnhashed != 0, "bucket": hex(e.Bucket), "path": e.Role.Is(schema.TraitWalks) && e.Columns.Has(schema.ColumnKey),
	})
}

// finish emits the remaining calls in order, and adds to each dentry the time it settled and its spans
// without inode.
func (g *gathering) finish() {
	g.longest()
	slices.SortFunc(g.calls, func(a, b callRow) int { return cmp.Compare(a.id, b.id) })
	for _, c := range g.calls {
		g.emit(c)
	}
	for _, s := range g.Objects["seq"] {
		g.Objects["negative"] = append(g.Objects["negative"], g.negatives[s.(uint64)])
		g.Objects["settled"] = append(g.Objects["settled"], g.settled[s.(uint64)])
	}
}

// judgement holds the number of claims and those that the page shows, unproven and refuted ones first.
type judgement struct {
	all  int
	kept []report.Claim
}

// judged reads the trace to its end and returns the verdicts.
func judged(src replay.Source, beside report.Reading, b bounds) (*report.Findings, *judgement, error) {
	var kept [3][]report.Claim
	var j judgement
	proven := make(map[report.Kind]int)
	f, err := report.Judge(src, report.Options{Beside: beside, Each: func(c *report.Claim) {
		if j.all++; len(kept[c.Verdict]) >= b.claims {
			return
		}
		if c.Verdict == report.Proven {
			if proven[c.Kind]++; proven[c.Kind] > b.proven {
				return
			}
		}
		kept[c.Verdict] = append(kept[c.Verdict], c.Clone())
	}})
	if err == nil && f.Void == nil { // otherwise all verdicts are retracted
		j.kept = slices.Concat(kept[report.Refuted], kept[report.Unproven], kept[report.Proven])
		j.kept = j.kept[:min(len(j.kept), b.claims)]
	}
	return f, &j, err
}

func (d *data) claim(c *report.Claim) {
	var ids []uint64
	for _, t := range append(c.Terms, c.Left, c.Right) {
		if t.Event != 0 && !slices.Contains(ids, t.Event) {
			ids = append(ids, t.Event)
		}
	}
	d.Claims.add(map[string]any{
		"kind": d.str(c.Kind.String()), "verdict": d.str(c.Verdict.String()), "subject": d.str(replay.Printable(c.Subject)),
		"object": c.Object.Seq, "other": c.Other.Seq, "reason": d.str(c.Reason()), "says": d.str(c.Says(replay.Printable)), "sum": d.str(c.Subtraction()), "ids": ids,
	})
}
