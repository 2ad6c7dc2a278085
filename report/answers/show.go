// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// Shown is what is known of one thing. All its texts are printable.
type Shown struct {
	What     string    `json:"what"`
	Sections []Section `json:"sections"`         // empty: the trace does not have it
	Doubts   []string  `json:"doubts,omitempty"` // why this is of what was recorded, and may not be of all that happened
}

// Section is one aspect of what is known.
type Section struct {
	Title string `json:"title"`
	Lines []Line `json:"lines"`
	More  uint64 `json:"more,omitempty"` // lines left out after the first maxFirst
}

// Line is one event or other fact.
type Line struct {
	ID   uint64 `json:"id,omitempty"`      // event id; 0: no single event
	At   uint64 `json:"time_ns,omitempty"` // nanoseconds since boot
	Text string `json:"text"`
}

// Bounds on what is shown: the first and the last lines of a section, and the number of dentries followed.
const (
	maxFirst    = 60
	maxLast     = 30
	maxSections = 8
)

// lines collects the lines of a section: the first maxFirst and the last maxLast.
type lines struct {
	first, last []*Line
	total       uint64
}

func (l *lines) add(id, at uint64, format string, args ...any) *Line {
	line := &Line{id, at, fmt.Sprintf(format, args...)}
	if l.total++; len(l.first) < maxFirst {
		l.first = append(l.first, line)
		return line
	}
	if len(l.last) >= maxLast {
		l.last = slices.Delete(l.last, 0, 1)
	}
	l.last = append(l.last, line)
	return line
}

// begun sorts the lines of calls, which are reported as they end, by when the calls began.
func (l *lines) begun() *lines {
	for _, of := range [][]*Line{l.first, l.last} {
		slices.SortFunc(of, func(a, b *Line) int { return cmp.Compare(a.ID, b.ID) })
	}
	return l
}

func (l *lines) section(title string) Section {
	s := Section{Title: title, Lines: []Line{}, More: l.total - uint64(len(l.first)+len(l.last))}
	for _, line := range append(slices.Clip(l.first), l.last...) {
		s.Lines = append(s.Lines, *line)
	}
	return s
}

// sections returns the section, or nil if it has no lines.
func (l *lines) sections(title string) []Section {
	if l.total == 0 {
		return nil
	}
	return []Section{l.section(title)}
}

// inquiry collects what is known of one thing. Each hook but sections may be nil.
type inquiry struct {
	step     func(*replay.Model, *replay.Step)
	call     func(*replay.Model, *replay.PathCall)
	task     func(*replay.Task)
	negative func(*replay.Negative)
	claim    func(*report.Claim)
	sections func() []Section
}

// Target is the thing that show is asked for.
type Target struct {
	given  string
	object uint64 // D125
	addr   uint64 // 0x…
	event  uint64 // #17
	pid    uint32 // 1234
}

// ParseTarget reads a word in the form in which dtrec prints it: a dentry (D12), an address (0x…), an event
// (#17), a process id, a path, or otherwise a name. As a file may be named like any of these, the word is
// also looked up as a name; a number too large for any trace is a name only. The only error is for an empty
// word.
func ParseTarget(word string) (Target, error) {
	t := Target{given: word}
	number := func(digits string, base, bits int) uint64 {
		n, err := strconv.ParseUint(digits, base, bits)
		if err != nil {
			return 0
		}
		return n
	}
	switch rest := word[min(1, len(word)):]; {
	case word == "":
		return t, fmt.Errorf("what to show is empty")
	case strings.HasPrefix(word, "0x"):
		t.addr = number(word[2:], 16, 64)
	case digits(rest) && word[0] == 'D':
		t.object = number(rest, 10, 64)
	case digits(rest) && word[0] == '#':
		t.event = number(rest, 10, 64)
	case digits(word):
		t.pid = uint32(number(word, 10, 32))
	}
	return t, nil
}

// Dentry returns the dentry that is asked for, or the zero Ref if the target is not a dentry.
func (t *Target) Dentry() replay.ObjectRef { return replay.ObjectRef{Seq: t.object, Addr: t.addr} }

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Show reads a trace to its end and returns what is known of the target. If the source returns an error,
// Show returns what it has read up to then, together with the error.
func Show(src replay.Source, t Target) (*Shown, error) {
	tee := &tee{model: replay.NewModel(src.Header()), inquiries: t.inquiries(src.Header())}
	m := tee.model
	m.Call = func(c *replay.PathCall) {
		tee.each(func(x *inquiry) {
			if x.call != nil {
				x.call(m, c)
			}
		})
	}
	m.Task = func(k *replay.Task) { tee.each(func(x *inquiry) { tell(x.task, k) }) }
	m.Negative = func(n *replay.Negative) { tee.each(func(x *inquiry) { tell(x.negative, n) }) }
	_, err := report.Judge(src, report.Options{Beside: tee, Each: func(c *report.Claim) { tee.each(func(x *inquiry) { tell(x.claim, c) }) }})
	m.End()
	s := &Shown{What: replay.Printable(replay.Unescape(t.given)), Sections: []Section{}, Doubts: tee.gaps.doubts(src.Header(), 0, true)}
	tee.each(func(x *inquiry) { s.Sections = append(s.Sections, x.sections()...) })
	return s, err
}

func tell[T any](hook func(T), v T) {
	if hook != nil {
		hook(v)
	}
}

// inquiries returns the inquiries that together describe the target. A process may be called like any of them.
func (t *Target) inquiries(h *schema.Header) []*inquiry {
	called := programOf(t.given)
	switch {
	case t.object != 0:
		return []*inquiry{livesOf(h, func(d *replay.Object) bool { return d.Seq == t.object }), nameOf(t.given), called}
	case t.addr != 0:
		return []*inquiry{livesOf(h, func(d *replay.Object) bool { return d.Addr == t.addr }), inodeAt(t.addr), nameOf(t.given), called}
	case t.event != 0:
		return []*inquiry{around(t.event), nameOf(t.given), called}
	case t.pid != 0:
		return []*inquiry{processOf(t.pid), nameOf(t.given), called}
	case strings.Contains(t.given, "/") || strings.HasPrefix(t.given, "…"):
		return []*inquiry{pathOf(t.given), called}
	}
	return []*inquiry{called, nameOf(t.given)}
}

// tee passes each record to the model of the inquiries while report.Judge reads the same trace.
type tee struct {
	model     *replay.Model
	inquiries []*inquiry
	gaps      gaps
}

func (t *tee) State() *replay.State { return t.model.State }

func (t *tee) Record(rec schema.Record) *replay.Step {
	s := t.model.Record(rec)
	if s == nil {
		t.gaps.see(rec)
	} else {
		t.each(func(x *inquiry) {
			if x.step != nil {
				x.step(t.model, s)
			}
		})
	}
	return s
}

func (t *tee) each(f func(*inquiry)) {
	for _, x := range t.inquiries {
		f(x)
	}
}

// WriteText prints the answer for people.
func (s *Shown) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	for i, sec := range s.Sections {
		if i > 0 {
			fmt.Fprintln(b)
		}
		fmt.Fprintln(b, sec.Title)
		for j, l := range sec.Lines {
			if j == maxFirst && sec.More > 0 {
				fmt.Fprintf(b, "  … %s\n", plural.Of(sec.More, "more line"))
			}
			id, at := "", ""
			if l.ID != 0 {
				id = fmt.Sprintf("#%d", l.ID)
			}
			if l.At != 0 {
				at = fmt.Sprintf("%d.%09d", l.At/1e9, l.At%1e9)
			}
			fmt.Fprintf(b, "  %8s %16s  %s\n", id, at, l.Text)
		}
	}
	if len(s.Sections) > 0 && len(s.Doubts) > 0 {
		fmt.Fprintf(b, "\nas far as is recorded: %s\n", strings.Join(s.Doubts, "; "))
	}
	return b.Flush()
}

// by returns the program, the process and the path call in which the last event happened, as " by …".
func by(m *replay.Model) string {
	a := m.EventContext()
	if a.Task == nil {
		return ""
	}
	s := " by " + process(a.Task.Program, a.Task.PID)
	if c := a.Call; c != nil {
		s += ", in " + c.Operation
		if c.Path != "" { // otherwise its walk has not begun
			s += " of " + c.Paths()
		}
		s += fmt.Sprintf(" #%d", c.ID)
	}
	return s
}

// dentry returns the number and the path of a dentry, or NULL.
func dentry(m *replay.Model, d *replay.Object) string {
	if d == nil {
		return "NULL"
	}
	return fmt.Sprintf("D%d %s", d.Seq, replay.PrintablePath(m.Path(d)))
}

// outcome returns the result of a call in words.
func outcome(c *replay.PathCall) string {
	switch {
	case c.End == 0:
		return "its return is not known"
	case c.Failed() && c.Dentry != nil:
		return fmt.Sprintf("%s, though its path led to D%d", schema.ErrnoName(c.Errno), c.Dentry.Seq)
	case c.Failed():
		return schema.ErrnoName(c.Errno)
	case c.Dentry != nil && c.Inode != 0:
		return fmt.Sprintf("D%d, inode %s%#x", c.Dentry.Seq, inoText(c.Ino), c.Inode)
	case c.Dentry != nil:
		return fmt.Sprintf("D%d", c.Dentry.Seq)
	}
	return "ok"
}

// inoText returns the inode number as it is printed before the inode's address; empty if it was not
// recorded.
func inoText(ino uint64) string {
	if ino == 0 {
		return ""
	}
	return fmt.Sprintf("%d at ", ino)
}

// asGiven returns the operation of a call and its one or two paths.
func asGiven(c *replay.PathCall) string { return c.Operation + " " + c.Paths() }

// process returns a program and its process, or the program alone if the trace does not say which process it was.
func process(program string, pid uint32) string {
	if pid == 0 {
		return replay.Printable(program)
	}
	return replay.Printable(program) + "/" + strconv.FormatUint(uint64(pid), 10)
}

// caller returns the process that made a call, and the thread if it is not the first one, such as an
// io_uring worker.
func caller(c *replay.PathCall) string {
	s := process(c.Program, c.PID)
	if c.TID != c.PID {
		s += fmt.Sprintf(" thread %d", c.TID)
	}
	return s
}

// callLine returns one line of text about a call.
func callLine(c *replay.PathCall) string {
	s := fmt.Sprintf("%s by %s: %s", asGiven(c), caller(c), outcome(c))
	if c.Resolved != c.Path && c.Resolved != "" {
		s += ", at " + replay.PrintablePath(c.Resolved)
	}
	if c.FSType != "" {
		s += " on " + replay.Printable(c.FSType)
	}
	s += "; " + c.Class.String()
	if c.Restarts > 0 {
		s += fmt.Sprintf(", started over %s", times(uint64(c.Restarts)))
	}
	if c.End != 0 || c.Took != 0 {
		s += ", " + took(c)
	}
	return s
}

// took says how long a call took, or for how long it is known not to have returned.
func took(c *replay.PathCall) string {
	switch {
	case c.End != 0:
		return duration(c.Took)
	case c.Took == 0:
		return "for a time that is not known"
	}
	return duration(c.Took) + " and not ended"
}

func times(n uint64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.FormatUint(n, 10) + " times"
}
