// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"strconv"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Top lists the keys with the largest amounts in a trace. Names and paths are as Printable returns them.
type Top struct {
	Of     string   `json:"of"`
	By     string   `json:"by"`
	Unit   string   `json:"unit,omitempty"`   // of amounts: ns; empty: counts
	Total  uint64   `json:"total"`            // over all keys
	Keys   int      `json:"keys"`             // number of distinct keys; if Error is not 0, of those kept
	Error  uint64   `json:"error"`            // bound by which an amount may be too low; keys up to it may be absent; 0: none is
	Doubts []string `json:"doubts,omitempty"` // why this is of what was recorded, and may not be of all that happened
	Rows   []TopRow `json:"rows"`
	Picked []string `json:"picked,omitempty"` // the filters as flags; Doubts are of the whole trace

	negatives bool
	callless  bool // of calls, and the trace is a kernel log
}

// TopRow describes one key.
type TopRow struct {
	Key    string `json:"key"`
	Amount uint64 `json:"amount"`
	Error  uint64 `json:"error,omitempty"` // the true amount is at most Amount + Error
	First  uint64 `json:"first"`           // first event counted

	Errnos []Count `json:"errnos,omitempty"` // of failures only, most frequent first

	// Of negative dentries only.
	Births []Count `json:"births,omitempty"`  // how they came to be
	Fates  []Count `json:"fates,omitempty"`   // what became of them
	Hits   uint64  `json:"hits,omitempty"`    // lookups that they answered
	Killer []Count `json:"killers,omitempty"` // of the killed, by whom: at most 8 programs, so that they may not add up
}

// thing is what is counted: a call, a component of one, an allocation, or a negative dentry.
type thing struct {
	name, path, dir string // path is empty if it is name in dir
	given           bool   // path is as given to the call; otherwise as far as the trace shows it
	program         string
	pid             uint32
	op, fs          string // empty: not known
	errno           int    // result of the call
	running         bool   // the call has no return in the trace
}

// ofCall returns a call as a thing.
func ofCall(c *replay.PathCall) thing {
	return thing{baseOf(c.Path), c.Path, dirOf(c.Resolved), true, c.Program, c.PID, c.Operation, c.FSType, c.Errno, c.End == 0}
}

// measure is one quantity that keys are ranked by.
type measure struct {
	name, says string
	unit       string
	needs      replay.Roles                  // all of whose events it counts
	amount     func(*replay.PathCall) uint64 // of a call; nil: not calls are counted
}

// measures lists the values of --of.
var measures = []measure{
	{"calls", "path calls", "", replay.WalkRoles(), func(*replay.PathCall) uint64 { return 1 }},
	{"failures", "path calls that returned an error", "", replay.WalkRoles(), func(c *replay.PathCall) uint64 {
		if c.Failed() {
			return 1
		}
		return 0
	}},
	{"time", "time in path calls, that of nested calls counted once", "ns", replay.WalkRoles(), (*replay.PathCall).TookOnce},
	{"misses", "names that a filesystem was asked for by a walk", "", replay.WalkRoles() | replay.ClassRoles(), nil},
	{"allocs", "dentries allocated", "", replay.RolesOf(schema.RoleAlloc), nil},
	{"negatives", "dentries that were in the cache without inode", "", replay.NegativeRoles(), nil},
	{"left", "of these, those that are alive when the trace ends", "", replay.NegativeRoles(), nil},
}

// dimension is one property that amounts are grouped by.
type dimension struct {
	name, says string
	known      bool                // outlined: a call's entry and exit suffice
	key        func(*thing) string // as printed; empty: the thing has none
}

// Values of dimension.known: whether an outline of the trace suffices, or the whole model is needed.
const (
	outlined = true
	walked   = false
)

// dimensions lists the values of --by.
var dimensions = []dimension{
	{"name", "the last component of the path, or the component", outlined, func(t *thing) string { return replay.Printable(t.name) }},
	{"path", "the path as given; for a component or a dentry, its place", outlined, func(t *thing) string {
		switch {
		case t.given:
			return replay.Printable(t.path)
		case t.path == "":
			return replay.PrintablePath(replay.InDir(t.dir, t.name))
		}
		return replay.PrintablePath(t.path)
	}},
	{"dir", "the directory it is in, as far as the run tells", walked, func(t *thing) string { return replay.PrintablePath(t.dir) }},
	{"program", "the program that made it", outlined, func(t *thing) string { return replay.Printable(t.program) }},
	{"task", "the process, and its program", outlined, func(t *thing) string {
		if t.pid == 0 {
			return replay.Printable(t.program)
		}
		return strconv.FormatUint(uint64(t.pid), 10) + " " + replay.Printable(t.program)
	}},
	{"op", "the operation", outlined, func(t *thing) string { return t.op }},
	{"fs", "the filesystem", walked, func(t *thing) string { return replay.Printable(t.fs) }},
	{"errno", "the errno that the call returned", outlined, func(t *thing) string {
		if t.running {
			return "(not returned)"
		}
		return schema.ErrnoName(t.errno)
	}},
}

// Names lists the values of --of and --by, with a description of each.
func Names() (of, by []Choice) {
	for _, m := range measures {
		of = append(of, Choice{m.name, m.says})
	}
	for _, d := range dimensions {
		by = append(by, Choice{d.name, d.says})
	}
	return of, by
}

// Choice is one value of an option, with its description.
type Choice struct{ Name, Says string }

// topper builds a Top.
type topper struct {
	model   *replay.Model
	of      *measure
	by      *dimension
	tally   *tally[born]
	unended bool   // a call without a return had its time counted
	unsure  uint64 // negative dentries of which it is not known whether they were left
	thing   thing  // the last one counted; a field, since passing its address to dimension.key would allocate each time
	picked  picked
}

// born is what else is kept of a key.
type born struct {
	first  uint64
	lives  *negativeLives    // of negative dentries
	errnos map[string]uint64 // of failures
}

// negativeLives sums up the births and fates of negative dentries.
type negativeLives struct {
	births, fates [8]uint64
	hits          uint64
	killers       map[string]uint64
}

// Bounds on what is kept for one key: programs that killed its dentries, and errnos.
const (
	maxKillers = 8
	maxErrnos  = 8
)

// TopOf reads a trace to its end and returns the n keys with the largest amounts; of and by are values from
// Names. A replay.Picker restricts it to calls with a picked event, and to picked allocs. After an error of
// the source it returns what it has read so far, and the error.
func TopOf(src replay.Source, of, by string, n int) (*Top, error) {
	t := &topper{tally: newTally[born](maxKeys), picked: pickedOf(src)}
	for i := range measures {
		if measures[i].name == of {
			t.of = &measures[i]
		}
	}
	for i := range dimensions {
		if dimensions[i].name == by {
			t.by = &dimensions[i]
		}
	}
	if t.of == nil || t.by == nil {
		return nil, fmt.Errorf("no top of %s by %s", of, by)
	}
	if by == "errno" && (of == "allocs" || of == "negatives" || of == "left") {
		return nil, fmt.Errorf("%s have no errno; calls, failures, time and misses have the one of their call", of)
	}
	if p := t.picked.picker; p != nil && (of == "negatives" || of == "left") {
		return nil, fmt.Errorf("%s cannot be filtered", of)
	} else if p != nil && of == "allocs" && p.Filter().OnlyExits() {
		return nil, fmt.Errorf("%s cannot be filtered by how a path call ended", of)
	}
	if t.of.amount != nil && t.by.known {
		t.model = replay.NewOutline(src)
	} else {
		t.model = replay.NewModel(src.Header())
	}
	switch of {
	case "negatives", "left":
		t.model.Negative = t.negative
	case "misses":
		t.model.Call = t.parts
	case "allocs":
	default:
		t.model.Call = t.call
	}
	var gaps gaps
	err := replay.Read(src, func(rec schema.Record) {
		gaps.see(rec)
		s := t.model.Record(rec)
		if of == "allocs" && s != nil && s.Event.Role == schema.RoleAlloc && s.Event.Phase == schema.Exit && (t.picked.picker == nil || t.picked.picker.Picks()) {
			t.alloc(s)
		}
	})
	t.model.End()
	top := t.top(n)
	if top.Doubts = gaps.doubts(src.Header(), t.of.needs, of == "negatives" || of == "left"); t.unended {
		top.Doubts = append(top.Doubts, "calls have no return in the trace")
	}
	if t.unsure > 0 {
		top.Doubts = append(top.Doubts, fmt.Sprintf("what became of %d is not known", t.unsure))
	}
	if top.callless = src.Header().Logged() && t.of.needs&replay.WalkRoles() == replay.WalkRoles(); top.callless {
		top.Doubts = []string{logHasNoCalls}
	}
	return top, err
}

// count adds an amount at an event id. Ids do not ascend, as a call comes after those nested in it.
func (t *topper) count(of thing, amount, id uint64) *born {
	t.thing = of
	return t.add(t.by.key(&t.thing), amount, id)
}

func (t *topper) add(key string, amount, id uint64) *born {
	b := t.tally.add(key, amount)
	if b.first == 0 || id < b.first {
		b.first = id
	}
	return b
}

func (t *topper) call(c *replay.PathCall) {
	t.unended = t.unended || t.of.unit != "" && c.End == 0 && t.picked.has(c)
	if t.of.unit != "" && t.picked.picker != nil {
		t.thing = ofCall(c)
		key := t.by.key(&t.thing)
		t.picked.time(c, func(took uint64) { t.add(key, took, c.ID) })
		return
	}
	if n := t.of.amount(c); n > 0 && t.picked.has(c) {
		b := t.count(ofCall(c), n, c.ID)
		if t.of.name == "failures" && t.by.name != "errno" {
			b.errnos = plusOne(b.errnos, schema.ErrnoName(c.Errno), maxErrnos)
		}
	}
}

func (t *topper) parts(c *replay.PathCall) {
	if !t.picked.has(c) {
		return
	}
	for i := range c.Components {
		if p := &c.Components[i]; p.Found == replay.FoundMiss {
			of := ofCall(c)
			of.name, of.path, of.dir, of.given = p.Name, p.Path, dirOf(p.Path), false
			if of.fs = ""; p.Dentry != nil { // the call may have ended on another filesystem
				of.fs = t.model.FSType(p.Dentry)
			}
			t.count(of, 1, p.ID)
		}
	}
}

func (t *topper) alloc(s *replay.Step) {
	around, e := t.model.EventContext(), s.Event
	of := thing{name: e.Name, dir: around.Dir, program: around.Task.Program, pid: around.Task.PID, fs: e.FSType}
	if c := around.Call; c != nil {
		of.op = c.Operation
	}
	t.count(of, 1, e.ID)
}

func (t *topper) negative(n *replay.Negative) {
	if n.Fate == replay.FateUnknown {
		t.unsure++
	}
	if n.Fate == replay.FateMade || t.of.name == "left" && n.Fate != replay.FateAlive {
		return
	}
	b := t.count(thing{name: n.Name, dir: n.Dir, program: n.Program, pid: n.PID, op: n.Operation, fs: n.FSType}, 1, n.Born)
	if b.lives == nil {
		b.lives = &negativeLives{}
	}
	l := b.lives
	l.births[n.Birth]++
	l.fates[n.Fate]++
	if l.hits += n.Hits; n.Fate == replay.FateKilled {
		l.killers = plusOne(l.killers, replay.Printable(n.EndBy), maxKillers)
	}
}

// plusOne increments the count of a key, if the map has the key or fewer than most keys.
func plusOne(m map[string]uint64, key string, most int) map[string]uint64 {
	if m == nil {
		m = make(map[string]uint64)
	}
	if _, known := m[key]; known || len(m) < most {
		m[key]++
	}
	return m
}

func (t *topper) top(n int) *Top {
	top := &Top{Of: t.of.name, By: t.by.name, Unit: t.of.unit, Total: t.tally.total, Keys: len(t.tally.entries), Error: t.tally.floor, Rows: []TopRow{},
		negatives: t.of.name == "negatives"}
	for _, e := range t.tally.top(n) {
		row := TopRow{Key: e.Key, Amount: e.Amount, Error: e.Error, First: e.What.first}
		if l := e.What.lives; l != nil {
			row.Births, row.Fates = counted(replay.Births, l.births[:]), counted(replay.Fates, l.fates[:])
			row.Hits, row.Killer = l.hits, mostFirst(l.killers)
		}
		if len(e.What.errnos) > 0 {
			row.Errnos = mostFirst(e.What.errnos)
		}
		top.Rows = append(top.Rows, row)
	}
	return top
}
