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

// truth is what a trace holds, counted here from its records and not from Findings.
type truth struct {
	header  *schema.Header
	events  map[uint64]*schema.Event
	count   int // of events
	lost    uint64
	windows map[uint64]bool // counts and times of the losses
	opens   []*ownOpen      // in the order in which they ended, then those without an end
	people  map[string]map[[2]int]bool
	exits   map[string]map[uint64]int
	outside map[string]int // events outside any open that a section may show

	verdicts map[string]map[string]int // by kind, from every claim as it is judged
	doubts   map[string]*ownDoubt      // by kind, why and about what
	prefixes map[string]uint64
	kept     int // missing names proven to have a dentry
	named    int // doubts that the page has named so far
}

// ownOpen is an open between its entry and its exit, paired by nothing but the thread.
type ownOpen struct {
	enter, exit *schema.Event
	events      int // itself included, those of opens within it not
	allocs      []string // names that dentries were allocated for
}

// ownDoubt is the claims of a kind that are not proven for one reason.
type ownDoubt struct {
	verdict, kind     string
	subjects, reasons map[string]bool
	count             int
}

// tell reads a trace on its own.
func tell(records []schema.Record, header *schema.Header) *truth {
	x := &truth{header: header, events: make(map[uint64]*schema.Event), windows: make(map[uint64]bool), people: make(map[string]map[[2]int]bool),
		exits: make(map[string]map[uint64]int), outside: make(map[string]int), verdicts: make(map[string]map[string]int), doubts: make(map[string]*ownDoubt), prefixes: make(map[string]uint64)}
	births, open := make(map[uint32]int), make(map[uint32][]*ownOpen)
	for _, rec := range records {
		switch rec := rec.(type) {
		case *schema.Loss:
			x.lost += rec.Count
			for _, n := range []uint64{rec.Count, rec.FirstNs, rec.LastNs} {
				x.windows[n] = true
			}
		case *schema.Event:
			x.event(rec, births, open)
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
	if x.people[e.Comm] == nil {
		x.people[e.Comm], x.exits[e.Comm] = make(map[[2]int]bool), make(map[uint64]int)
	}
	x.people[e.Comm][[2]int{int(e.PID), births[e.PID]}] = true
	switch e.Role {
	case schema.RoleFork:
		births[e.Child]++
	case schema.RoleExit:
		x.exits[e.Comm][e.Ret]++
	}
	enters := e.Phase == schema.Enter
	if e.Role == schema.RoleOpen && enters {
		open[e.TID] = append(open[e.TID], &ownOpen{enter: e})
	}
	n := len(open[e.TID])
	if n == 0 {
		x.outside[e.Comm]++
		return
	}
	o := open[e.TID][n-1]
	o.events++
	if e.Role == schema.RoleAlloc && enters {
		o.allocs = append(o.allocs, e.Name)
	}
	if e.Role == schema.RoleOpen && !enters {
		o.exit, open[e.TID] = e, open[e.TID][:n-1]
		x.opens = append(x.opens, o)
	}
}

func sortedKeys[V any](m map[uint32]V) []uint32 {
	var keys []uint32
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// claim takes a claim as it is judged.
func (x *truth) claim(cl *Claim) {
	kind, verdict := cl.Kind.String(), cl.Verdict.String()
	if x.verdicts[kind] == nil {
		x.verdicts[kind] = make(map[string]int)
	}
	x.verdicts[kind][verdict]++
	if cl.Verdict != Proven {
		key := fmt.Sprint(kind, cl.Why, " ", cl.About)
		if x.doubts[key] == nil {
			x.doubts[key] = &ownDoubt{verdict, kind, make(map[string]bool), make(map[string]bool), 0}
		}
		d := x.doubts[key]
		d.subjects[cl.Subject], d.reasons[cl.Reason] = true, true
		d.count++
	}
	if cl.Kind == Negative && cl.Verdict == Proven && cl.Kept {
		x.kept++
	}
	if cl.Kind == Prefix && cl.Verdict == Proven {
		x.prefixes[cl.Means] = cl.Result
	}
}

func (x *truth) proven(kind string) int { return x.verdicts[kind]["proven"] }

func (x *truth) total(verdict string) (n int) {
	for _, of := range x.verdicts {
		n += of[verdict]
	}
	return n
}

// ended are the opens of a program that came to an end.
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
	minus     = regexp.MustCompile(`(0x[0-9a-f]+) \([^()]*\) − (0x[0-9a-f]+) \([^()]*\) = (0x[0-9a-f]+) = (\d+)`)
	placed    = regexp.MustCompile(`(0x[0-9a-f]+) − (0x[0-9a-f]+) = (0x[0-9a-f]+) = (\d+)`)
	displaced = regexp.MustCompile(`D\d+ (0x[0-9a-f]+), last seen with inode (0x[0-9a-f]+)`)
	bucketed  = regexp.MustCompile(`\((0x[0-9a-f]+) − (0x[0-9a-f]+)\) / 8 = (\d+), (\d+) >> (\d+) = (\d+)`)
)

func parse(s string) uint64 { n, _ := strconv.ParseUint(s, 0, 64); return n }

// cited holds the numbers of a line that cites events against what these recorded, and
// against what follows from that.
func (x *truth) cited(line string, dentries map[string]string) (wrong []string) {
	allowed, last := x.layoutNumbers(), uint64(0)
	line = " " + line
	for _, m := range eventID.FindAllStringSubmatch(line, -1) {
		e := x.events[parse(m[1])]
		if e == nil {
			wrong = append(wrong, "no event #"+m[1])
			continue
		}
		last = max(last, e.ID)
		line = strings.ReplaceAll(line, fmt.Sprintf("[%d.%06d]", e.Time/1e9, e.Time%1e9/1e3), "")
		for _, name := range []string{e.Name, e.Comm, e.FSType} {
			if s := replay.Printable(name); s != "" {
				line = strings.ReplaceAll(line, " "+s, " ")
			}
		}
		for _, n := range []uint64{e.Parent, e.NameAddr, e.Dentry, e.Inode, e.Ret, e.Bucket, e.Target, uint64(e.Hash), uint64(e.NameLen),
			uint64(e.Errno()), uint64(e.Dev >> 20), uint64(e.Dev & (1<<20 - 1)), uint64(schema.HashName(e.Parent, e.Name))} {
			allowed[n] = true
		}
	}
	for _, m := range displaced.FindAllStringSubmatch(line, -1) {
		if x.inode(parse(m[1]), last) == parse(m[2]) {
			allowed[parse(m[2])] = true
		}
	}
	for _, m := range dentryRef.FindAllStringSubmatch(line, -1) {
		if at, known := dentries[m[1]]; known && at != m[2] {
			wrong = append(wrong, "D"+m[1]+" is at "+at)
		}
		dentries[m[1]] = m[2]
	}
	line, bad := computed(line, allowed)
	wrong = append(wrong, bad...)
	line = dentryRef.ReplaceAllString(eventID.ReplaceAllString(line, ""), "$2")
	for _, p := range x.header.GetProbe() {
		line = strings.ReplaceAll(line, p.Symbol, "")
	}
	for _, n := range number.FindAllString(line, -1) {
		if !allowed[parse(n)] {
			wrong = append(wrong, n+" is in none of the events cited")
		}
	}
	return wrong
}

// computed checks the arithmetic of a line and takes out its results.
func computed(line string, allowed map[uint64]bool) (rest string, wrong []string) {
	for _, form := range []*regexp.Regexp{minus, placed} {
		line = form.ReplaceAllStringFunc(line, func(s string) string {
			m := form.FindStringSubmatch(s)
			if d := parse(m[1]) - parse(m[2]); d != parse(m[3]) || d != parse(m[4]) {
				wrong = append(wrong, s)
			} else if allowed[d] = true; d%192 == 0 {
				allowed[d/192] = true
			}
			return m[1] + " " + m[2]
		})
	}
	line = bucketed.ReplaceAllStringFunc(line, func(s string) string {
		m := bucketed.FindStringSubmatch(s)
		n := make([]uint64, len(m))
		for i := range m {
			n[i] = parse(m[i])
		}
		if (n[1]-n[2])/8 != n[3] || n[4]>>n[5] != n[6] || n[3] != n[6] {
			wrong = append(wrong, s)
		}
		return strings.Join([]string{m[1], m[2], m[4], m[5]}, " ")
	})
	return line, wrong
}

// layoutNumbers are the offsets and sizes of the kernel.
func (x *truth) layoutNumbers() map[uint64]bool {
	l, out := x.header.GetLayout(), make(map[uint64]bool)
	for _, n := range []uint32{l.GetDentrySize(), l.GetDHash(), l.GetDParent(), l.GetDName(), l.GetDInode(), l.GetInlineName(), l.GetInlineNameSize(),
		l.GetExternalName(), l.GetFilenameName(), l.GetFilenameIname(), l.GetDHashShift()} {
		out[uint64(n)] = true
	}
	out[l.GetDentryHashtable()] = true
	return out
}

// inode is what the last event about a dentry up to one showed as its inode.
func (x *truth) inode(dentry, until uint64) uint64 {
	for id := until; id > 0; id-- {
		if e := x.events[id]; e != nil && e.Dentry == dentry && e.Role != schema.RoleFree {
			return e.Inode
		}
	}
	return 0
}

var ticks = regexp.MustCompile("`+")

// spanless is a line without its code spans.
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
