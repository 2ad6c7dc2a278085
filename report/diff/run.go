// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"errors"
	"io"
	"math"
	"slices"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// run is what is kept of one of the two runs during the comparison.
type run struct {
	Run
	in      Input
	names   namer
	both    probes // entries and exits recorded in both runs
	logged  bool   // it was made from a kernel log
	machine string // architecture whose numbering the flags of opens use, if the other run's is different; else empty

	programs []*schema.Program          // without their source
	printing int                        // bytes that the programs kept have printed
	unkept   uint64                     // number of programs beyond the bounds
	calls    map[string]*calls          // by program
	order    []string                   // programs in the order of their first call
	claims   map[uint32][]report.Ruling // every distinct set of claims of a call, by digest.judged
	marks    map[uint64]mark            // by event id
	took     [roles]histogram           // durations by role, in nanoseconds
	unseen   [][2]uint64                // time ranges in which a thread may have made calls that were not recorded
	full     uint64                     // time from which the watch set was full, and the end of a dentry may not be recorded; 0: it never was
	losses   *replay.Losses
	findings *report.Findings  // set when the run has been read
	rename   map[string]string // see Options.Rename
	renamed  map[string]uint64 // by old name: number of calls
	left     uint64            // number of calls beyond maxCalls

	// The kinds of claims that are compared: inCalls as part of a call, inLines only if refuted and as part
	// of the line whose event refutes them. A claim of inLines that is merely unproven does not depend on
	// the program.
	inCalls, inLines kindSet

	// Used only while the run is read.
	threads map[uint32]*thread
	tids    map[uint32][]uint32 // by process: its threads in threads
	last    *thread
	now     uint64              // time of the last event, ns since boot
	spare   *call               // whose memory the next call takes
	commOf  map[uint32]string   // by process: the name under which it last made a call
	opened  map[uint64][]string // by address of a dentry that has not ended: the programs that opened it to read
	rulings []report.Ruling     // that came with the current event
}

// ended keeps how a program ended and what it printed, within the bounds.
func (r *run) ended(p *schema.Program) {
	if len(r.programs) >= maxPrograms || r.printing+len(p.Stdout) > printedBytes {
		r.unkept++
		return
	}
	r.printing += len(p.Stdout)
	r.programs = append(r.programs, &schema.Program{Name: shown.FromStored(p.Name), Pid: p.Pid, EndNs: p.EndNs, ExitCode: p.ExitCode, Stdout: p.Stdout})
}

// digest is what is kept of a call, in 48 bytes.
type digest struct {
	exact   uint64      // hash of everything that is compared
	first   uint64      // id of its first event
	from    uint64      // time of its first event
	coarse  uint32      // hash without what varies by chance and without claims
	label   uint32      // hash of kind and names; calls of equal label may be the same call with another course
	judged  uint32      // hash of its claims
	further uint32      // id of the last event minus first
	kind    schema.Role // of the event that decides what the call is; 0: lookups without further effect
	lossy   bool        // events of it may have been lost
	listed  bool        // the program had opened the directory of its last name, so that it can have read its names
	watched bool        // nothing in it shows that a recorded task made it. Of others only what they do to watched dentries is recorded
}

// same reports whether two calls are equal except for what varies by chance.
func (d *digest) same(e *digest) bool {
	return d.exact == e.exact || d.coarse == e.coarse && d.judged == e.judged
}

// span returns the events of the call; the zero Span for nil.
func (d *digest) span() Span {
	if d == nil {
		return Span{}
	}
	return Span{d.first, d.first + uint64(d.further)}
}

// calls holds the calls of one program in the order in which they ended. They are stored in pieces, because
// growing a single slice would keep two copies in memory for a moment.
type calls struct {
	pieces   [][]digest // all but the last are full
	n        int
	tid      uint32   // thread that made the last call
	switches []uint32 // indexes of the calls that another thread made than the one before
	only     []uint32 // indexes of the calls that are the only ones of their label, in either run; set where events were lost
}

const pieceLength = 4096

func (l *calls) add(d digest) {
	if l.n%pieceLength == 0 {
		l.pieces = append(l.pieces, nil)
	}
	last := &l.pieces[len(l.pieces)-1]
	*last, l.n = append(*last, d), l.n+1
}

func (l *calls) at(i int) *digest { return &l.pieces[i/pieceLength][i%pieceLength] }

// alone reports whether one thread made all the calls between the index i and to.
func (l *calls) alone(i, to int) bool {
	next, _ := slices.BinarySearch(l.switches, uint32(min(i, to)+1))
	return next == len(l.switches) || l.switches[next] > uint32(max(i, to-1))
}

// around returns the times of the calls nearest to those from an index to another that both runs made once. The calls of
// several threads have no order that would tell between which they are.
func (l *calls) around(i, to int) (from, until uint64) {
	until = math.MaxUint64
	if len(l.switches) > 0 {
		return from, until
	}
	if n, _ := slices.BinarySearch(l.only, uint32(i)); n > 0 {
		from = l.at(int(l.only[n-1])).from
	}
	if n, _ := slices.BinarySearch(l.only, uint32(to)); n < len(l.only) {
		until = l.at(int(l.only[n])).from
	}
	return from, until
}

// of returns the calls of a program, never nil.
func (r *run) of(comm string) *calls { return cmp.Or(r.calls[comm], new(calls)) }

// maxCalls bounds the calls of a run that are compared. Their digests take 36 MiB, and differing calls take
// at most as much again.
const maxCalls = 3 << 18

// keep adds the digest of a finished call to its program.
func (r *run) keep(c *call) {
	if r.Calls == maxCalls {
		r.left++
		return
	}
	if name, ok := r.rename[c.comm]; ok {
		r.renamed[c.comm]++
		c.comm = name
	}
	r.Calls++
	list := r.calls[c.comm]
	if list == nil {
		list = new(calls)
		r.calls[c.comm] = list
		r.order = append(r.order, c.comm)
	}
	c.sum(r.names.seed)
	for kept, met := r.claims[c.judged]; !slices.Equal(kept, c.claims); kept, met = r.claims[c.judged] {
		if !met {
			r.claims[c.judged] = slices.Clone(c.claims)
			break
		}
		c.judged++ // the hash is taken by a different set
	}
	if list.n > 0 && list.tid != c.tid {
		list.switches = append(list.switches, uint32(list.n))
	}
	list.tid = c.tid
	list.add(c.digest)
}

// lost reports whether events may be missing between two times.
func (r *run) lost(from, to uint64) bool {
	return (r.losses.HasWindow(from, to) || slices.ContainsFunc(r.unseen, func(w [2]uint64) bool { return w[0] <= to && from <= w[1] })) &&
		len(r.losses.Windows()) > 0
}

// unwatched reports whether, by a time, there may be dentries that could not be watched. What others than the
// recorded tasks do to such a dentry is not recorded, nor its end, whoever ends it.
func (r *run) unwatched(by uint64) bool { return r.full != 0 && r.full <= by }

// short reports whether the recording ended before the workload did: the trace has no footer, or a limit
// was reached.
func (r *run) short() bool {
	f := r.findings.Footer
	return f == nil || f.EndedBy == "limit"
}

// farAhead is the largest number of events that are skipped by reading; beyond that the seek index is used.
const farAhead = 1 << 13

// again reads the wanted calls once more, this time with their lines, and returns them by first event id.
// It reads only the frames of the file that hold them.
func (r *run) again(wanted []*digest) (map[uint64]*call, error) {
	slices.SortFunc(wanted, func(a, b *digest) int { return cmp.Compare(a.first, b.first) })
	wanted = slices.CompactFunc(wanted, func(a, b *digest) bool { return a.first == b.first })
	calls := make(map[uint64]*call, len(wanted))
	var reading []*digest
	var src replay.Source
	var state *replay.State
	var at, sought uint64 // id of the last event read, and the id asked for: a source may begin before that
	for len(wanted)+len(reading) > 0 {
		var err error
		if src == nil || len(reading) == 0 && wanted[0].first > max(at, sought)+farAhead {
			sought = wanted[0].first
			if src, err = r.in.Again(sought); err != nil {
				return nil, err
			}
			state = replay.New(src.Header())
		}
		rec, err := src.Next()
		if errors.Is(err, io.EOF) {
			return calls, nil
		} else if err != nil {
			return nil, err
		}
		s := state.Record(rec)
		if s == nil {
			continue
		}
		for at = s.Event.ID; len(wanted) > 0 && wanted[0].first <= at; wanted = wanted[1:] {
			if w := wanted[0]; w.first == at {
				c := &call{}
				c.start(w.kind, s.Named())
				c.digest, c.claims = *w, r.claims[w.judged]
				calls[at], reading = c, append(reading, w)
			}
		}
		for _, w := range reading {
			s.EachPhase(func(s *replay.Step) { r.rebuild(calls[w.first], w, s) })
		}
		reading = slices.DeleteFunc(reading, func(w *digest) bool { return w.span().Last <= at })
	}
	return calls, nil
}

// rebuild adds an event to a call that is being read again, if the event belongs to it.
func (r *run) rebuild(c *call, w *digest, s *replay.Step) {
	e := s.Event
	switch line := r.logged && e.PID == 0; {
	case line:
	case e.TID != c.tid, !r.both.has(e.Role, e.Phase), isAstray(s), !c.takes(e):
		return
	case opens.Has(w.kind) && !isWithin(s, w.first), !encloses.Has(w.kind) && s.MaybeOpen != nil:
		return
	}
	r.add(c, s, r.marks[e.ID])
	if e.ID == w.span().Last {
		r.complete(c)
	}
}
