// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"errors"
	"io"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// run is what is kept of one of the two runs while they are compared.
type run struct {
	Run
	in      Input
	names   namer
	both    probes // recorded in both runs
	logged  bool   // it is a kernel log
	machine string // whose numbers the flags of opens are in, where the other run's are another's; else empty

	programs []*schema.Program          // without their source
	printing int                        // bytes that those printed
	unkept   uint64                     // programs beyond the bounds
	calls    map[string]*calls          // by program
	order    []string                   // programs in order of their first call
	claims   map[uint32][]report.Ruling // every set of claims that a call has, by its hash
	marks    map[uint64]mark            // by event
	took     [roles]histogram           // how long the calls of each role took
	whole    replay.Roles               // of these nobody has seen when the calls were entered
	unseen   [][2]uint64                // times in which calls of a thread went unseen
	losses   *replay.Losses
	findings *report.Findings  // at the end
	rename   map[string]string // programs that are taken for others
	renamed  map[string]uint64 // how many calls they made
	left     uint64            // calls beyond the bound

	// Which kinds of claim are compared: with the call they are made of, and where refuted with
	// the event they stand on. One of these that is merely unproven is no matter of the program.
	inCalls, inLines kindSet

	// While it is read.
	threads map[uint32]*thread
	last    *thread
	now     uint64 // time of the last event
	spare   []*call
	commOf  map[uint32]string // the name under which a process was last seen to make a call
	rulings []report.Ruling   // that came with the last event
}

// ended keeps how a program ended and what it printed, within bounds.
func (r *run) ended(p *schema.Program) {
	if len(r.programs) >= maxPrograms || r.printing+len(p.Stdout) > printedBytes {
		r.unkept++
		return
	}
	r.printing += len(p.Stdout)
	r.programs = append(r.programs, &schema.Program{Name: p.Name, Pid: p.Pid, EndNs: p.EndNs, ExitCode: p.ExitCode, Stdout: p.Stdout})
}

// digest is what is kept of a call: 48 bytes.
type digest struct {
	exact      uint64 // a hash of everything that is compared
	first      uint64 // event id
	from       uint64 // time
	coarse     uint32 // a hash without what differs by chance, and without claims
	label      uint32 // of what the call is of: calls of one label may be one call that went otherwise
	judged     uint32 // the hash of its claims
	more       uint32 // events after the first up to the last
	kind       schema.Role
	lossy      bool
	sameThread bool // made it as made the program's call before it
}

// same reports whether two calls differ by chance at most.
func (d *digest) same(e *digest) bool {
	return d.exact == e.exact || d.coarse == e.coarse && d.judged == e.judged
}

// span is the events of the call; none of none.
func (d *digest) span() Span {
	if d == nil {
		return Span{}
	}
	return Span{d.first, d.first + uint64(d.more)}
}

// calls are those of a program, in the order in which they ended, in pieces: a slice is in
// memory twice when it grows.
type calls struct {
	pieces [][]digest // all but the last are full
	n      int
	tid    uint32 // who made the last one
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

// of returns the calls of a program, which may be none.
func (r *run) of(comm string) *calls { return cmp.Or(r.calls[comm], new(calls)) }

// maxCalls bounds the calls of a run that are compared: 36 MiB, and at most as much for what differs.
const maxCalls = 3 << 18

// keep takes a finished call.
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
		r.Programs++
	}
	d := c.digest(r.names.seed)
	for kept, met := r.claims[d.judged]; !slices.Equal(kept, c.claims); kept, met = r.claims[d.judged] {
		if !met {
			r.claims[d.judged] = slices.Clone(c.claims)
			break
		}
		d.judged++ // another set has this hash
	}
	d.sameThread, list.tid = list.n > 0 && list.tid == c.tid, c.tid
	list.add(d)
}

// lost reports whether events are missing between two times.
func (r *run) lost(from, to uint64) bool {
	return len(r.losses.Windows()) > 0 && (r.losses.Any(from, to) ||
		slices.ContainsFunc(r.unseen, func(w [2]uint64) bool { return w[0] <= to && from <= w[1] }))
}

// short reports whether the run ends before what it recorded did.
func (r *run) short() bool {
	f := r.findings.Footer
	return f == nil || f.EndedBy == "limit"
}

// farAhead is how many events are read over before the seek index is asked instead.
const farAhead = 1 << 13

// again reads calls of the run once more, with their lines: those frames of the file
// that hold them.
func (r *run) again(wanted []*digest) (map[uint64]*call, error) {
	slices.SortFunc(wanted, func(a, b *digest) int { return cmp.Compare(a.first, b.first) })
	wanted = slices.CompactFunc(wanted, func(a, b *digest) bool { return a.first == b.first })
	calls := make(map[uint64]*call, len(wanted))
	var reading []*digest
	var src replay.Source
	var state *replay.State
	var at, sought uint64 // a source begins before what is sought
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
				c.start(w.kind, s.Asked())
				c.lossy, c.claims = w.lossy, r.claims[w.judged]
				calls[at], reading = c, append(reading, w)
			}
		}
		for _, w := range reading {
			s.Halves(func(s *replay.Step) { r.rebuild(calls[w.first], w, s) })
		}
		reading = slices.DeleteFunc(reading, func(w *digest) bool { return w.span().Last <= at })
	}
	return calls, nil
}

// rebuild adds an event to a call that is read again, if it was part of it.
func (r *run) rebuild(c *call, w *digest, s *replay.Step) {
	e := s.Event
	switch line := r.logged && e.PID == 0; {
	case line:
	case e.TID != c.tid, !r.both.has(e.Role, e.Phase), isAstray(s), !c.takes(e):
		return
	case opens.Has(w.kind) && !isWithin(s, w.first), !encloses.Has(w.kind) && s.Within != nil:
		return
	}
	r.add(c, s, r.marks[e.ID])
	if e.ID == w.span().Last {
		r.complete(c)
	}
}
