// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// maxPrograms bounds the programs that are counted separately; calls of further programs are counted
// together under the name "".
const maxPrograms = 1024

// Summary describes what happened in a trace. Times are in nanoseconds; names are in the form that
// replay.Printable returns.
type Summary struct {
	Kernel   string `json:"kernel"`
	Events   uint64 `json:"events"`
	Lost     uint64 `json:"lost"`
	Complete bool   `json:"complete"`
	Imported bool   `json:"imported,omitempty"`   // made from a text trace, which does not tell how many events were lost
	Log      bool   `json:"kernel_log,omitempty"` // made from a kernel log, which has no calls

	// Picked holds the filters as flags, such as --comm=git. If there are any, the fields below describe
	// only the path calls that they pick.
	Picked []string `json:"picked,omitempty"`

	Total     Row             `json:"total"`
	Programs  []*Row          `json:"programs"`                   // most time first
	Errnos    []Count         `json:"errnos"`                     // of failed calls, the most frequent first
	Slowest   []Slow          `json:"slowest"`                    // at most ten, the slowest first
	Negatives *NegativeCounts `json:"negatives,omitempty"`        // nil: not known (see Doubts), or calls are picked, to which dentries do not belong
	Doubts    []string        `json:"negatives_doubts,omitempty"` // why Negatives are not known, or only as far as is recorded
	Findings  []Finding       `json:"findings"`                   // what stands out, see Rules

	lossy bool // loss records say that events are missing
}

// Slow is one of the slowest calls.
type Slow struct {
	ID         uint64 `json:"id"`
	Operation  string `json:"operation"`
	Path       string `json:"path"`
	Program    string `json:"program"`
	Took       uint64 `json:"took_ns"`
	Unfinished bool   `json:"unfinished,omitempty"` // it had not returned after Took
	Filesystem uint64 `json:"filesystem_ns"`
	Gap        Gap    `json:"gap"`
}

// took returns the call's time in words.
func (c *Slow) took() string {
	if c.Unfinished {
		return "≥ " + duration(c.Took)
	}
	return duration(c.Took)
}

// Gap is the longest time within a call between two consecutive events. Nothing was recorded in between.
type Gap struct {
	From string `json:"from,omitempty"` // an event, as in open exit #4474
	To   string `json:"to,omitempty"`
	Took uint64 `json:"took_ns"`
}

// Count is a name and how often it occurred.
type Count struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// NegativeCounts counts the dentries that were in the cache without an inode, except those that the call
// which looked them up then made a file of.
type NegativeCounts struct {
	Made   uint64  `json:"made"`
	Left   uint64  `json:"left"`      // known to be still there when the trace ended
	Unsure uint64  `json:"not_known"` // of which it is not known what became of them
	Hits   uint64  `json:"hits"`      // lookups that they answered
	Births []Count `json:"births"`
	Fates  []Count `json:"fates"`
}

// Summarizer builds a Summary from the records that it is given.
type Summarizer struct {
	Summary
	model    *replay.Model
	programs map[string]*Row
	last     *Row
	births   [8]uint64
	fates    [8]uint64
	header   *schema.Header
	gaps     gaps

	picked    picked
	picks     map[uint32][]string // by process: the programs under which it made picked calls
	errnos    map[int]uint64
	told      []string // paths and names that earlier findings are about
	libraries libraries
	failures  *tally[example]      // by errno and path
	errno     int                  // the last errno that errnoKey was asked for
	key       string               // errnoKey's result for that errno
	names     *tally[spread]       // by missing name
	again     *tally[example]      // by path of the component that a filesystem was asked for
	misses    *tally[example]      // by directory
	left      *tally[[8]uint64]    // by directory: negative dentries left, by birth
	leads     *tally[destinations] // by root directory and path as given
	root      uint64               // the last root directory in rootKey that is not the recorder's; rooted is its prefix there
	rooted    string
	restart   example              // the first walk that started over
	inner     replay.PathCall      // the last failed call that was nested in another
	execs     []interpreter        // the first execs that failed because another file was missing
	failed    map[uint32]*failures // by process

	endings    []failedEnd // processes that ended badly: the first perRule+maxNamed of endedBadly
	endedBadly uint64
	failedLeft bool        // failed had no room for some
	children   []failedEnd // the first maxFailing processes with a fork that ended badly, without a call
}

// example keeps the first of many calls.
type example struct {
	call      uint64
	searching uint64 // calls that belong to the library search
}

// add records a call and reports whether it began before all others so far. Calls are not in order of their
// beginning: one is reported when it ends, after those nested in it and those of other threads in the
// meantime.
func (x *example) add(c *replay.PathCall) bool {
	if x.call != 0 && x.call < c.ID {
		return false
	}
	x.call = c.ID
	return true
}

// of is add for a call that may belong to the library search.
func (x *example) of(c *replay.PathCall, search bool) (first bool) {
	if search {
		x.searching++
	}
	return x.add(c)
}

// spread describes the directories in which a name was missing.
type spread struct {
	example
	dir  string          // directory of the first call
	dirs [maxDirs]uint64 // hashes of the first maxDirs distinct directories
	n    int             // entries used in dirs
}

// Bounds on what is kept: distinct directories of a missing name, keys of the smaller tallies, and the
// length of a path that another path led to.
const (
	maxDirs     = 8
	fewKeys     = 1 << 12
	maxResolved = 512 // bytes
)

// Summarize reads a trace to its end and returns its summary. If the source returns an error, it returns
// the summary of what it has read up to then, together with the error. If src is a replay.Picker, only the
// calls in which the filter picks an event are counted, and negative dentries are not.
func Summarize(src replay.Source) (*Summary, error) {
	s := NewSummarizer(src.Header())
	s.State().Reuse()
	s.Pick(src)
	err := replay.Read(src, func(rec schema.Record) { s.Record(rec) })
	return s.End(), err
}

// NewSummarizer returns a Summarizer for a trace with the given header.
func NewSummarizer(h *schema.Header) *Summarizer {
	s := &Summarizer{
		model: replay.NewModel(h), programs: make(map[string]*Row),
		failures: newTally[example](maxKeys), names: newTally[spread](fewKeys), again: newTally[example](maxKeys), misses: newTally[example](maxKeys),
		left: newTally[[8]uint64](maxKeys), leads: newTally[destinations](fewKeys), errnos: make(map[int]uint64),
		picks: make(map[uint32][]string), failed: make(map[uint32]*failures),
		libraries: newLibraries(),
	}
	s.Kernel, s.Imported, s.Log = h.GetKernel().GetRelease(), h.Imported(), h.Logged()
	s.Findings, s.Programs, s.Slowest = []Finding{}, []*Row{}, []Slow{}
	s.model.Call, s.model.Task, s.model.Negative = s.call, s.task, s.negative
	s.header = h
	if unrecorded(h, replay.NegativeRoles()) == nil {
		s.Negatives = new(NegativeCounts)
	}
	return s
}

// Model returns the model that reads the trace. A caller that sets a hook on it must call the hook that was
// set before.
func (s *Summarizer) Model() *replay.Model { return s.model }

// State returns the state of the model. Together with Record it makes a Summarizer a report.Reading.
func (s *Summarizer) State() *replay.State { return s.model.State }

// Record takes the next record of the trace. For an event it returns the model's step, which is valid until
// the next call; otherwise nil.
func (s *Summarizer) Record(rec schema.Record) *replay.Step {
	if e, ok := rec.(*schema.Event); ok { // the most frequent case
		s.Events++
		return s.model.Record(e)
	}
	s.gaps.see(rec)
	return s.model.Record(rec)
}

// row returns the row of a program.
func (s *Summarizer) row(program string) *Row {
	if s.last != nil && s.last.Program == program {
		return s.last
	}
	r := s.programs[program]
	if r == nil {
		if len(s.programs) >= maxPrograms {
			program = ""
		}
		if r = s.programs[program]; r == nil {
			r = &Row{Program: program}
			s.programs[program] = r
		}
	}
	s.last = r
	return r
}

func (s *Summarizer) call(c *replay.PathCall) {
	took := c.TookOnce()
	if s.picked.picker != nil {
		if took = 0; !s.picksCall(c) {
			return
		}
	}
	s.row(c.Program).add(c, took)
	s.Total.add(c, took)
	s.slow(c)
	if c.Restarts > 0 {
		s.restart.add(c)
	}
	s.exec(c)
	if c.Failed() {
		s.errnos[c.Errno]++
	} else if c.End != 0 && leads(c) {
		s.leads.addTo(s.rootKey(c), c.Path, 1).add(c)
	}
	search := s.libraries.takes(c)
	switch {
	case c.Failed():
		s.failures.addTo(s.errnoKey(c.Errno), c.Path, 1).of(c, search)
		s.fails(c, search)
	case c.End != 0:
		s.opens(c)
	}
	for i := range c.Components {
		p := &c.Components[i]
		if p.Found != replay.FoundMiss {
			continue
		}
		s.again.add(p.Path, 1).of(c, search)
		s.misses.add(dirOf(p.Path), 1).of(c, search)
	}
	if n, dir := len(c.Components), dirOf(c.Resolved); n > 0 && schema.ErrnoName(c.Errno) == "ENOENT" && known(dir) {
		x := s.names.add(c.Components[n-1].Name, 1)
		if x.of(c, search) {
			x.dir = dir
		}
		x.in(dir)
	}
}

// errnoKey returns the prefix of the keys in failures for an errno.
func (s *Summarizer) errnoKey(errno int) string {
	if errno != s.errno {
		s.errno, s.key = errno, schema.ErrnoName(errno)+" "
	}
	return s.key
}

const maxSlowest = 10

// slow keeps a call if it is among the maxSlowest slowest ones.
func (s *Summarizer) slow(c *replay.PathCall) {
	n := len(s.Slowest)
	if !timed(c) || n == maxSlowest && c.Took <= s.Slowest[n-1].Took {
		return
	}
	i := n
	for i > 0 && s.Slowest[i-1].Took < c.Took {
		i--
	}
	s.Slowest = slices.Insert(s.Slowest, i, slowOf(c))
	s.Slowest = s.Slowest[:min(len(s.Slowest), maxSlowest)]
}

// timed reports whether it is known how long a call took, or how long it had not returned.
func timed(c *replay.PathCall) bool { return c.End != 0 || c.Took > 0 }

func slowOf(c *replay.PathCall) Slow {
	s := Slow{ID: c.ID, Operation: c.Operation, Path: c.Path, Program: c.Program, Took: c.Took, Unfinished: c.End == 0, Filesystem: c.Filesystem}
	if g := c.Gap; g.Took > 0 {
		s.Gap = Gap{g.From.String(), g.To.String(), g.Took}
	}
	return s
}

func (s *Summarizer) task(t *replay.Task) {
	if t.ThreadOnly() {
		return
	}
	if s.ended(t); t.EndsOnly() {
		return
	}
	programs := t.Programs
	if s.picked.picker != nil {
		programs = s.picks[t.PID]
		if delete(s.picks, t.PID); len(programs) == 0 {
			return
		}
	}
	for _, name := range programs {
		s.row(name).Processes++
	}
	s.Total.Processes++
}

func (s *Summarizer) negative(n *replay.Negative) {
	if n.Fate == replay.FateMade || s.Negatives == nil || s.picked.picker != nil {
		return
	}
	s.Negatives.Made++
	s.Negatives.Hits += n.Hits
	s.births[n.Birth]++
	s.fates[n.Fate]++
	if n.Fate == replay.FateAlive {
		s.Negatives.Left++
		s.left.add(n.Dir, 1)[n.Birth]++
	}
}

// End completes the summary and returns it.
func (s *Summarizer) End() *Summary {
	s.model.End()
	s.Lost, s.Complete = s.model.State.Losses.Total, s.gaps.complete()
	if s.gaps.footer != nil {
		s.Lost = max(s.Lost, s.gaps.footer.Lost)
	}
	s.lossy = s.gaps.lost
	if s.Doubts = s.gaps.doubts(s.header, replay.NegativeRoles(), true); s.Negatives == nil {
		s.Doubts = unrecorded(s.header, replay.NegativeRoles())
	} else {
		n := s.Negatives
		n.Unsure = s.fates[replay.FateUnknown]
		n.Births, n.Fates = counted(replay.Births, s.births[:]), counted(replay.Fates, s.fates[:])
	}
	errnos := make(map[string]uint64)
	for errno, n := range s.errnos {
		errnos[schema.ErrnoName(errno)] += n
	}
	s.Errnos = mostFirst(errnos)
	s.Total.finish()
	for _, r := range s.programs {
		r.finish()
		s.Programs = append(s.Programs, r)
	}
	slices.SortFunc(s.Programs, func(a, b *Row) int {
		return cmp.Or(cmp.Compare(b.Took, a.Took), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Program, b.Program))
	})
	s.find()
	s.printable()
	if s.picked.picker != nil {
		s.Negatives, s.Doubts = nil, nil
	}
	sum := s.Summary // a copy, so that the caller does not keep the model alive
	return &sum
}

// printable escapes the names in the summary so that they cannot act on a terminal.
func (s *Summary) printable() {
	s.Kernel = replay.Printable(s.Kernel)
	for i := range s.Slowest {
		s.Slowest[i].Path, s.Slowest[i].Program = replay.Printable(s.Slowest[i].Path), replay.Printable(s.Slowest[i].Program)
	}
	for _, r := range append(slices.Clip(s.Programs), &s.Total) {
		r.Program = replay.Printable(r.Program)
		if r.Slowest != nil {
			r.Slowest.Path, r.Slowest.Program = replay.Printable(r.Slowest.Path), replay.Printable(r.Slowest.Program)
		}
	}
}
