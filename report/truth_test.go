// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// truth is what a trace contains, counted from its records and not taken from Findings.
type truth struct {
	header    *schema.Header
	events    map[uint64]*schema.Event
	count     int // of all events
	lost      uint64
	losses    []*schema.Loss
	opens     []*ownOpen // those that ended, in the order of their ends, then those without an end
	processes map[string]map[[2]int]bool
	exits     map[string]map[uint64]int
	outside   map[string]int // by program: events outside any open that a section may show

	verdicts map[string]map[string]int // by kind and verdict, from every claim as it is judged
	doubts   map[string]*ownDoubt      // by kind, reason and what the reason is about
	prefixes map[string]uint64
	kept     int               // missing names proven to be kept in the cache
	across   map[string]int    // by program: claims on dentries, across opens
	seq      map[uint64]uint64 // by event: the number of its dentry
	layout   map[uint64]bool
	sections map[string]bool // programs with events other than ends of dentries and those of processes
	named    int             // doubts that the page has named so far
	running  map[uint32]int  // by thread: opens to execute within the exec in progress
}

// ownOpen is an open between its entry and its exit, which are paired by thread alone.
type ownOpen struct {
	enter, exit *schema.Event
	events      int      // including its own, without those of opens within it
	allocs      []string // names for which dentries were allocated
	course      string   // its functions, with whether each had a dentry, and its errno
	furthest    uint64   // highest offset in its path that was looked up
	again       bool     // the walk came back to a lower offset
	ofExec      bool     // it is of the file that an exec runs: the first open within that
}

// ownDoubt holds the claims of a kind that are not proven for one reason.
type ownDoubt struct {
	verdict, kind     string
	subjects, reasons map[string]bool
	count             int
}

// tell reads a trace independently of the collector.
func tell(records []schema.Record, header *schema.Header) *truth {
	x := &truth{running: make(map[uint32]int), header: header, events: make(map[uint64]*schema.Event), processes: make(map[string]map[[2]int]bool),
		exits: make(map[string]map[uint64]int), outside: make(map[string]int), verdicts: make(map[string]map[string]int), doubts: make(map[string]*ownDoubt), across: make(map[string]int), sections: make(map[string]bool), seq: make(map[uint64]uint64), layout: offsets(header.GetLayout()), prefixes: make(map[string]uint64)}
	state := replay.New(header)
	births, open := make(map[uint32]int), make(map[uint32][]*ownOpen)
	for _, rec := range records {
		switch rec := rec.(type) {
		case *schema.Loss:
			state.Loss(rec)
			if rec.Cause != schema.LossUnreadableName { // its events are in the trace
				x.lost += rec.Count
			}
			x.losses = append(x.losses, rec)
		case *schema.Event:
			x.event(rec, births, open)
			if o := state.Event(rec).Object; o != nil {
				x.seq[rec.ID] = o.Seq
			}
		}
	}
	for _, tid := range sortedKeys(open) {
		x.opens = append(x.opens, open[tid]...)
	}
	return x
}

func (x *truth) event(e *schema.Event, births map[uint32]int, open map[uint32][]*ownOpen) {
	x.count++
	x.events[e.ID] = e
	if x.processes[e.Comm] == nil {
		x.processes[e.Comm], x.exits[e.Comm] = make(map[[2]int]bool), make(map[uint64]int)
	}
	x.processes[e.Comm][[2]int{int(e.PID), births[e.PID]}] = true
	switch e.Role {
	case schema.RoleKill, schema.RoleDrop, schema.RoleFree, schema.RoleExec:
	case schema.RoleFork:
		births[e.Child]++
	case schema.RoleExit:
		x.exits[e.Comm][e.Ret]++
	default:
		x.sections[e.Comm] = true
	}
	exit := e
	if e.Entry != nil {
		e = e.Entry
	}
	enters := e.Phase == schema.Enter
	switch n, within := x.running[e.TID]; {
	case e.Role == schema.RoleOpen && enters:
		ofExec := within && e.Execute() && n == 0
		if open[e.TID] = append(open[e.TID], &ownOpen{enter: e, ofExec: ofExec}); ofExec {
			x.running[e.TID]++
		}
	case e.Role != schema.RoleExecve && e.Role != schema.RoleExecveat:
	case enters:
		x.running[e.TID] = 0
	default:
		delete(x.running, e.TID)
	}
	n := len(open[e.TID])
	if n == 0 {
		x.outside[e.Comm]++
		return
	}
	o := open[e.TID][n-1]
	o.events++
	if o.ran(e); e != exit {
		o.ran(exit)
	}
	if off := e.NameAddr - o.enter.NameAddr; enters && (e.Role.Is(schema.TraitLooksUp) || e.Role.Is(schema.TraitBegins)) && off < uint64(len(o.enter.Name)) {
		o.again, o.furthest = o.again || off < o.furthest, max(o.furthest, off)
	}
	if e.Role == schema.RoleAlloc && enters {
		o.allocs = append(o.allocs, e.Name)
	}
	if e.Role == schema.RoleOpen && !enters {
		o.exit, open[e.TID] = e, open[e.TID][:n-1]
		x.opens = append(x.opens, o)
	}
}

// claim counts a claim as it is judged.
func (x *truth) claim(cl *Claim) {
	kind, verdict := cl.Kind.String(), cl.Verdict.String()
	if x.verdicts[kind] == nil {
		x.verdicts[kind] = make(map[string]int)
	}
	x.verdicts[kind][verdict]++
	if table[cl.Kind].across {
		if i := slices.IndexFunc(cl.Terms, func(term Term) bool { return term.Comm != "" }); i >= 0 {
			x.across[x.events[cl.Terms[i].Event].Comm]++
		}
	}
	if cl.Verdict != Proven {
		key := fmt.Sprint(kind, cl.Why, " ", cl.About)
		if x.doubts[key] == nil {
			x.doubts[key] = &ownDoubt{verdict, kind, make(map[string]bool), make(map[string]bool), 0}
		}
		d := x.doubts[key]
		d.subjects[cl.Subject], d.reasons[cl.Reason()] = true, true
		d.count++
	}
	if cl.Kind == Negative && cl.Verdict == Proven && cl.Detail.(*Missing).Kept {
		x.kept++
	}
	if cl.Kind == Prefix && cl.Verdict == Proven {
		x.prefixes[cl.Means] = cl.Result
	}
}

func (x *truth) proven(kind string) int { return x.verdicts[kind]["proven"] }

// made returns the number of claims of a kind.
func (x *truth) made(kind string) (n int) {
	for _, of := range x.verdicts[kind] {
		n += of
	}
	return n
}

func (x *truth) total(verdict string) (n int) {
	for _, of := range x.verdicts {
		n += of[verdict]
	}
	return n
}

// ended returns the opens of a program that ended.
func (x *truth) ended(comm string) (out []*ownOpen) {
	for _, o := range x.opens {
		if o.enter.Comm == comm && o.exit != nil {
			out = append(out, o)
		}
	}
	return out
}

var (
	eventID   = regexp.MustCompile(`\\?#(\d+)`)
	number    = regexp.MustCompile(`0x[0-9a-f]+|\d+`)
	dentryRef = regexp.MustCompile(`\bD(\d+) (0x[0-9a-f]+)`)
	lastIDs   = regexp.MustCompile(`#\d+(–#\d+)? $`)
	minus     = regexp.MustCompile(`(0x[0-9a-f]+)( \([^()]*\))? − (0x[0-9a-f]+)( \([^()]*\))? = (0x[0-9a-f]+) = (\d+)`)
	label     = regexp.MustCompile(`(?:^|[ (])([^\s(]\S*) (entry|return)\b`)
	displaced = regexp.MustCompile(`last seen with inode (0x[0-9a-f]+)`)
	lostCount = regexp.MustCompile(`events lost in the window: (\d+) `)
	ofPath    = regexp.MustCompile(`(?:before|after ) the kill: (.*?) D`)
	bucketed  = regexp.MustCompile(`\((0x[0-9a-f]+) − (0x[0-9a-f]+)\) / 8 = (\d+), (\d+) >> (\d+) = (\d+)`)
)

func parse(s string) uint64 { n, _ := strconv.ParseUint(s, 0, 64); return n }

// cited checks the numbers in a line that cites events. Each must be in the event cited next or in the one
// before, or must follow from them.
func (x *truth) cited(line string) (wrong []string) {
	line = " " + x.known(line) + " "
	for _, m := range eventID.FindAllStringSubmatch(lastIDs.FindString(line), -1) { // a name may look like a citation
		if id := parse(m[1]); x.events[id] != nil {
			line = x.nameless(line, []uint64{id})
		}
	}
	var all []uint64
	for _, m := range eventID.FindAllStringSubmatch(line, -1) {
		if id := parse(m[1]); x.events[id] != nil {
			all = append(all, id)
		} else {
			wrong = append(wrong, "no event #"+m[1])
		}
	}
	line = x.nameless(line, all)
	for _, m := range dentryRef.FindAllStringSubmatch(line, -1) {
		if !slices.ContainsFunc(all, func(id uint64) bool { return x.seq[id] == parse(m[1]) && x.events[id].Dentry == parse(m[2]) }) && !x.target(m, all, line) {
			wrong = append(wrong, "none of the events is of D"+m[1])
		}
	}
	line, computed, bad := arithmetic(dentryRef.ReplaceAllString(line, ""), uint64(x.header.GetLayout().GetDentrySize()))
	wrong = append(wrong, bad...)
	if m := displaced.FindStringSubmatch(line); m != nil { // checked by target
		computed[parse(m[1])] = true
	}
	parts, ids := eventID.Split(line, -1), eventID.FindAllStringSubmatch(line, -1)
	for i, part := range parts {
		near := all // a number after the last citation may be in any of them
		if i < len(ids) {
			near = nil
			for k := max(i-1, 0); k <= i+1 && k < len(ids); k++ {
				if k <= i || parts[k] == "–" {
					near = append(near, parse(ids[k][1]))
				}
			}
			wrong = append(wrong, x.labelled(part, parse(ids[i][1]))...)
		}
		for _, n := range number.FindAllString(systemCall.ReplaceAllString(part, ""), -1) {
			if !computed[parse(n)] && !x.layout[parse(n)] && !x.recorded(near, parse(n)) {
				wrong = append(wrong, n+" is of none of the events")
			}
		}
	}
	return wrong
}

// systemCall matches a function whose name may contain digits: that of a system call, or one it consists
// of.
var systemCall = regexp.MustCompile(`\b(?:__\w+_sys_|do_|filename_)\w+`)

// nameless returns the line without the names and times of the events.
func (x *truth) nameless(line string, ids []uint64) string {
	for _, id := range ids {
		x.each(id, func(e *schema.Event) bool {
			line = strings.ReplaceAll(line, fmt.Sprintf("[%d.%06d]", e.Time/1e9, e.Time%1e9/1e3), "")
			for _, name := range []string{e.Name, e.Comm, e.FSType} {
				if s := replay.Printable(name); s != "" {
					line = without(line, s)
				}
			}
			return false
		})
	}
	return line
}

func wordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// without removes a name from a line where it stands as a word.
func without(line, name string) string {
	for at := 0; ; {
		i := strings.Index(line[at:], " "+name)
		if i < 0 {
			return line
		}
		end := at + i + 1 + len(name)
		if at += i + 1; end == len(line) || !wordByte(line[end]) && !strings.HasPrefix(line[end:], " =") {
			line = line[:at] + line[end:]
		}
	}
}

// recorded reports whether one of the events has the number.
func (x *truth) recorded(ids []uint64, n uint64) bool {
	return slices.ContainsFunc(ids, func(id uint64) bool {
		return x.each(id, func(e *schema.Event) bool {
			return slices.Contains([]uint64{e.Parent, e.NameAddr, e.Dentry, e.Inode, e.Ret, e.Bucket, e.Target, e.Start, uint64(e.Hash), uint64(e.NameLen),
				uint64(e.Errno()), uint64(e.DirFD), uint64(e.Dev >> 20), uint64(e.Dev & (1<<20 - 1)), uint64(schema.HashName(e.Parent, e.Name))}, n)
		})
	})
}

// labelled checks the function and the phase that are named before a citation.
func (x *truth) labelled(before string, id uint64) []string {
	m := label.FindAllStringSubmatch(before, -1)
	if e := x.events[id]; e != nil && m != nil {
		said := m[len(m)-1]
		for _, p := range x.header.GetProbe() {
			if p.Role == e.Role && p.Attached && p.Symbol == said[1] && (e.Entry != nil || (e.Phase == schema.Exit) == (said[2] == "return")) {
				return nil
			}
		}
		return []string{fmt.Sprintf("#%d is not %s %s", id, said[1], said[2])}
	}
	return nil
}

// target reports whether a dentry, of which no event is cited, is one whose place a move took.
func (x *truth) target(ref []string, ids []uint64, line string) bool {
	last := slices.Max(append(ids, 0))
	for id := last; id > 0; id-- {
		e := x.events[id]
		if e == nil || e.Dentry != parse(ref[2]) || e.Role == schema.RoleFree {
			continue
		}
		m := displaced.FindStringSubmatch(line)
		return x.seq[id] == parse(ref[1]) && (m == nil || parse(m[1]) == e.Inode)
	}
	return false
}

// known removes from a line what is not a number in the events cited: the count of a loss record, the
// program, the path of an open.
func (x *truth) known(line string) string {
	if m := lostCount.FindStringSubmatch(line); m != nil && slices.ContainsFunc(x.losses, func(l *schema.Loss) bool { return l.Count == parse(m[1]) }) {
		line = strings.Replace(line, m[0], "", 1)
	}
	for comm := range x.processes {
		line = strings.Replace(line, ". In "+text(comm)+",", " ", 1)
	}
	if m := ofPath.FindStringSubmatch(line); m != nil && slices.ContainsFunc(x.opens, func(o *ownOpen) bool { return replay.Printable(o.enter.Name) == m[1] }) {
		line = strings.Replace(line, m[0], " D", 1)
	}
	return line
}

// arithmetic checks the computations in a line and removes their results; slot is the size of a dentry, 0:
// unknown.
func arithmetic(line string, slot uint64) (rest string, computed map[uint64]bool, wrong []string) {
	computed = make(map[uint64]bool)
	line = minus.ReplaceAllStringFunc(line, func(s string) string {
		m := minus.FindStringSubmatch(s)
		d := parse(m[1]) - parse(m[3])
		if d != parse(m[5]) || d != parse(m[6]) {
			wrong = append(wrong, s)
		} else if slot != 0 && d%slot == 0 {
			computed[d/slot] = true
		}
		return m[1] + m[2] + " " + m[3] + m[4]
	})
	line = bucketed.ReplaceAllStringFunc(line, func(s string) string {
		m := bucketed.FindStringSubmatch(s)
		if (parse(m[1])-parse(m[2]))/8 != parse(m[3]) || parse(m[4])>>parse(m[5]) != parse(m[6]) || m[3] != m[6] {
			wrong = append(wrong, s)
		}
		return strings.Join([]string{m[1], m[2], m[4], m[5]}, " ")
	})
	return line, computed, wrong
}

// offsets returns the offsets and sizes in the kernel's layout.
func offsets(l *schema.Layout) map[uint64]bool {
	out := map[uint64]bool{l.GetDentryHashtable(): true}
	for _, n := range []uint32{l.GetDentrySize(), l.GetInlineName(), l.GetInlineNameSize(), l.GetDHashShift()} {
		out[uint64(n)] = true
	}
	return out
}

var ticks = regexp.MustCompile("`+")

// spanless returns a line without its code spans.
func spanless(line string) string {
	out, from := "", 0
	runs := ticks.FindAllStringIndex(line, -1)
	for i := 0; i < len(runs); i++ {
		for k := i + 1; k < len(runs); k++ {
			if runs[k][1]-runs[k][0] == runs[i][1]-runs[i][0] {
				out, from, i = out+line[from:runs[i][0]]+"`", runs[k][1], k
				break
			}
		}
	}
	return out + line[from:]
}
