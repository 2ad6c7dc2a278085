// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// maxPrograms bounds the programs counted one by one; the calls of more are counted as those of
// one, called "".
const maxPrograms = 1024

// Summary is what happened in a trace. Times are nanoseconds; names are as Printable has
// them.
type Summary struct {
	Kernel   string `json:"kernel"`
	Events   uint64 `json:"events"`
	Lost     uint64 `json:"lost"`
	Complete bool   `json:"complete"`
	Imported bool   `json:"imported,omitempty"`   // from a text: what is lost is not known
	Log      bool   `json:"kernel_log,omitempty"` // that is a kernel log: it tells of no calls

	// Picked are the filters as flags, such as --comm=git, where all that follows is of the path calls that they pick.
	Picked []string `json:"picked,omitempty"`

	Total     Row             `json:"total"`
	Programs  []*Row          `json:"programs"`            // those with most time first
	Errnos    []Count         `json:"errnos"`              // of calls that failed, the most frequent first
	Slowest   []Slow          `json:"slowest"`             // the ten slowest calls, the slowest first
	Negatives *NegativeCounts `json:"negatives,omitempty"` // nil where they are not known, or calls are picked: dentries are not
	Lacks     []string        `json:"lacks,omitempty"`     // the roles whose probes were not attached, for which Negatives are not known
	Findings  []Finding       `json:"findings"`            // what stands out, see Rules
}

// Slow is one call.
type Slow struct {
	ID         uint64 `json:"id"`
	Operation  string `json:"operation"`
	Path       string `json:"path"`
	Program    string `json:"program"`
	Took       uint64 `json:"took_ns"`
	Filesystem uint64 `json:"filesystem_ns"`
	Gap        Gap    `json:"gap"`
}

// Gap is the longest time of a call between two events that follow each other: nothing is recorded of it.
type Gap struct {
	From string `json:"from,omitempty"` // an event: open exit #4474
	To   string `json:"to,omitempty"`
	Took uint64 `json:"took_ns"`
}

// Count is how many there are of something.
type Count struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// NegativeCounts is how many dentries without inode there were in the cache, but for those
// of files that the same call then made.
type NegativeCounts struct {
	Made   uint64  `json:"made"`
	Left   uint64  `json:"left"` // alive when the trace ended
	Hits   uint64  `json:"hits"` // lookups they answered
	Births []Count `json:"births"`
	Fates  []Count `json:"fates"`
}

// Summarizer makes a Summary of the records it is given.
type Summarizer struct {
	Summary
	model    *replay.Model
	programs map[string]*Row
	last     *Row
	births   [8]uint64
	fates    [8]uint64
	footer   *schema.Footer
	cut      bool

	picked    picked
	picks     map[uint32][]string // of processes the programs that made calls which are picked
	errnos    map[int]uint64
	told      []string // the paths and names that findings are about
	libraries libraries
	failures  *tally[example]      // by errno and path
	errno     int                  // of the last of them
	key       string               // what keys of that begin with
	names     *tally[spread]       // by missing name
	again     *tally[example]      // by the path of what a filesystem was asked for
	misses    *tally[example]      // by directory
	left      *tally[[8]uint64]    // by directory, of negatives left: by birth
	leads     *tally[destinations] // by root directory, and path as given
	root      uint64               // a root directory that is not the recorder's, and what keys of leads begin with there
	rooted    string
	restart   example         // of a walk that started over
	inner     replay.PathCall // the last call that failed within another
	execs     []interpreter   // the first execs that failed for want of what their file names
	failed    map[uint32]last // by process, the last call that failed
	endings   []failedEnd     // processes that did not end well
}

// example is one call of many, that which began first.
type example struct {
	call      uint64
	searching uint64 // how many are of a search for libraries
}

// add takes a call, and reports whether it began first: one is told of after those within it, and those that other threads made meanwhile.
func (x *example) add(c *replay.PathCall) bool {
	if x.call != 0 && x.call < c.ID {
		return false
	}
	x.call = c.ID
	return true
}

// of is add for a call that may be of a search for libraries.
func (x *example) of(c *replay.PathCall, search bool) (first bool) {
	if search {
		x.searching++
	}
	return x.add(c)
}

// spread is the directories that a name was missing in.
type spread struct {
	example
	dir  string          // the first one
	dirs [maxDirs]uint64 // hashes of different ones, the first of them
	n    int             // of dirs
}

// Bounds on what is kept of a missing name, and of a path that led somewhere.
const (
	maxDirs     = 8
	fewKeys     = 1 << 12
	maxResolved = 512 // bytes
)

// Summarize reads a trace to its end and sums it up. After an error of the source it
// returns what it has read so far, and the error. Of a replay.Picker the calls count of which it picks an event, and no dentries.
func Summarize(src replay.Source) (*Summary, error) {
	s := NewSummarizer(src.Header())
	s.State().Reuse()
	s.picked = pickedOf(src)
	err := replay.Read(src, func(rec schema.Record) { s.Record(rec) })
	return s.End(), err
}

// NewSummarizer returns one for a trace with the header.
func NewSummarizer(h *schema.Header) *Summarizer {
	s := &Summarizer{
		model: replay.NewModel(h), programs: make(map[string]*Row),
		failures: newTally[example](maxKeys), names: newTally[spread](fewKeys), again: newTally[example](maxKeys), misses: newTally[example](maxKeys),
		left: newTally[[8]uint64](maxKeys), leads: newTally[destinations](fewKeys), errnos: make(map[int]uint64),
		picks: make(map[uint32][]string), failed: make(map[uint32]last),
		libraries: newLibraries(),
	}
	s.Kernel, s.Imported, s.Log = h.GetKernel().GetRelease(), h.Imported(), h.Logged()
	s.Findings, s.Programs, s.Slowest = []Finding{}, []*Row{}, []Slow{}
	s.model.Call, s.model.Task, s.model.Negative = s.call, s.task, s.negative
	if s.Lacks = replay.NegativesLack(h).Names(); len(s.Lacks) == 0 {
		s.Negatives = new(NegativeCounts)
	}
	return s
}

// Model is what the trace is read with. Hooks put on it are to call those that it has.
func (s *Summarizer) Model() *replay.Model { return s.model }

// State is what the trace is read with, also for a report.Reading.
func (s *Summarizer) State() *replay.State { return s.model.State }

// Record takes the next record of the trace; of an event it returns where it stands, until the next one.
func (s *Summarizer) Record(rec schema.Record) *replay.Step {
	if e, ok := rec.(*schema.Event); ok { // mostly
		s.Events++
		return s.model.Record(e)
	}
	switch rec := rec.(type) {
	case *schema.Damage:
		s.cut = s.cut || !rec.Behind
	case *schema.Footer:
		s.footer = rec
	}
	return s.model.Record(rec)
}

// row is the row of a program.
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
	if c.Failed() {
		s.failures.addTo(s.errnoKey(c.Errno), c.Path, 1).of(c, search)
		if !search {
			s.fails(c)
		}
	}
	for i := range c.Components {
		p := &c.Components[i]
		if p.Found != replay.FoundMiss {
			continue
		}
		s.again.add(p.Path, 1).of(c, search)
		s.misses.add(dirOf(p.Path), 1).of(c, search)
	}
	if n := len(c.Components); n > 0 && schema.ErrnoName(c.Errno) == "ENOENT" {
		x := s.names.add(c.Components[n-1].Name, 1)
		if x.of(c, search) {
			x.dir = dirOf(c.Resolved)
		}
		x.in(dirOf(c.Resolved))
	}
}

// errnoKey is what the keys of failures with an errno begin with.
func (s *Summarizer) errnoKey(errno int) string {
	if errno != s.errno {
		s.errno, s.key = errno, schema.ErrnoName(errno)+" "
	}
	return s.key
}

// maxSlowest is how many of the slowest calls are kept.
const maxSlowest = 10

// slow keeps a call if it is one of the slowest.
func (s *Summarizer) slow(c *replay.PathCall) {
	n := len(s.Slowest)
	if c.End == 0 || n == maxSlowest && c.Took <= s.Slowest[n-1].Took {
		return
	}
	i := n
	for i > 0 && s.Slowest[i-1].Took < c.Took {
		i--
	}
	s.Slowest = slices.Insert(s.Slowest, i, slowOf(c))
	s.Slowest = s.Slowest[:min(len(s.Slowest), maxSlowest)]
}

func slowOf(c *replay.PathCall) Slow {
	s := Slow{ID: c.ID, Operation: c.Operation, Path: c.Path, Program: c.Program, Took: c.Took, Filesystem: c.Filesystem}
	if g := c.Gap; g.Took > 0 {
		s.Gap = Gap{g.From.String(), g.To.String(), g.Took}
	}
	return s
}

func (x *spread) in(dir string) {
	if h := maphash.String(seed, dir); x.n < maxDirs && !slices.Contains(x.dirs[:x.n], h) {
		x.dirs[x.n] = h
		x.n++
	}
}

func (s *Summarizer) task(t *replay.Task) {
	s.ended(t)
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

// End completes the summary, and returns it.
func (s *Summarizer) End() *Summary {
	s.model.End()
	s.Lost, s.Complete = s.model.State.Losses.Total, s.footer != nil && !s.cut
	if s.footer != nil {
		s.Lost = max(s.Lost, s.footer.Lost)
	}
	if n := s.Negatives; n != nil {
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
		s.Negatives, s.Lacks = nil, nil
	}
	sum := s.Summary // who keeps it keeps nothing of the model
	return &sum
}

// printable makes the names of a summary such that nothing acts on them.
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
