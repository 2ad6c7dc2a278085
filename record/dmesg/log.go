// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// maxLine bounds a line, bytes; of a longer one the rest is left out, and the name that
// ends it is cut. The kernel's own lines end at 1024.
const maxLine = 64 << 10

// maxEvents bounds the events of a log, all of which are kept. The kernel's own buffer has
// some thousand lines.
const maxEvents = 1 << 17

// ErrTooLong says that a log has more.
var ErrTooLong = fmt.Errorf("it says more than %d events", maxEvents)

// Log is a kernel log as it was read.
type Log struct {
	Runs    []*Run // those with an event, in order
	Lines   uint64
	Unknown uint64 // lines that say nothing known
	Broken  uint64 // those among them that begin as the module's lines do
	Hidden  uint64 // pointers that %p made unreadable
	Report  string // the id of the run that dtrec wrote the page of; empty: it is none
}

// Run is what one boot of the kernel printed.
type Run struct {
	Line    uint64 // where it begins, from 1
	Release string // of the kernel; empty: the log does not name it
	Version string
	Machine string         // its architecture, as uname(2) has it; empty: the log does not name it
	Events  []schema.Event // in the order of the log; ids are not set
	Lost    []Lost         // in order
	Printed bool           // a line of it was printed by printk; else it is all perf's or trace-cmd's probes
	Missing []string       // symbols the module could not probe
	Last    uint64         // latest time, nanoseconds
}

// Lost is what the text of a trace buffer says is missing.
type Lost struct {
	Before int // how many events of the run stand before it
	Loss   *schema.Loss
}

// Skipped is told of each line that is not understood.
type Skipped func(line uint64, text string, broken bool)

// Read reads a log to its end. It keeps every event. The error is the reader's.
func Read(r io.Reader, skipped Skipped) (*Log, error) {
	l := &reader{log: &Log{}, skipped: skipped}
	in := bufio.NewReaderSize(plainText(r), maxLine)
	if records := structured(in); records != nil {
		return l.log, l.records(records)
	}
	for {
		line, err := nextLine(in)
		if err != nil && line == "" {
			if l.flush(); err == io.EOF {
				err = nil
			}
			return l.log, err
		}
		if err := l.line(line, strip(line)); err != nil {
			return l.log, err
		}
	}
}

// nextLine returns a line without its end, cut at maxLine.
func nextLine(in *bufio.Reader) (string, error) {
	b, err := in.ReadSlice('\n')
	line := string(b)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	if err == nil || line != "" && err == io.EOF {
		err = nil
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if line == "" {
			line = "\n" // a line, though empty
		}
	}
	return line, err
}

// reader is a log being read.
type reader struct {
	log     *Log
	skipped Skipped
	run     *Run
	times   times
	events  int               // of all runs
	names   map[uint64]string // of the run: what was last said to be at an address
	heard   map[uint32]uint64 // of the run: the time of the latest event of a CPU, nanoseconds
	boot    string            // of the run, as the journal calls it; empty: not told
	before  string            // the text of the line before, if it said an event
}

var linuxVersion = pattern(`^Linux version (\S+) ?([^#]*)(#.*)?$`)

// anotherBoot is what journalctl prints between two boots.
var anotherBoot = pattern(`^-- (?:Boot [0-9a-f]{32}|Reboot) --$`)

// ownPage is the line of a report by dtrec that says which run it is of.
var ownPage = pattern("^This (?:report uses one run|page uses one run of a kernel log): id `([0-9a-f]{32})`, ")

// line takes one line in: as it stands in the log, and what it says.
//
//  1. Its time may show that another run has begun; so do the kernel's first
//     line and the separator of journalctl.
//  2. The module's lines, the kernel's drop_caches line and the words of reports are
//     tried in this order.
//  3. What remains is counted.
//
// The error is ErrTooLong.
func (l *reader) line(line string, s said) error {
	l.log.Lines++
	if l.boundary(s) {
		return nil
	}
	if m := ownPage().FindStringSubmatch(s.text); m != nil && s.at.clock == noClock {
		l.log.Report = m[1]
	}
	events, known := l.read(s)
	if !known && !l.lost(s.text) && !l.machine(s.text) {
		l.unknown(line, s.event == "" && driverStarts().MatchString(s.text) || isProbe(s.event))
	}
	if !known {
		return nil
	}
	if l.keep(events, s); l.events > maxEvents {
		return ErrTooLong
	}
	return nil
}

// boundary begins another run where a line shows one, and reports whether the line says
// no more than that.
func (l *reader) boundary(s said) bool {
	version := linuxVersion().FindStringSubmatch(s.text)
	boot := s.at.clock == noClock && anotherBoot().MatchString(s.text)
	if l.run == nil || version != nil || boot || l.boot != s.boot || l.times.restarted(s.at) {
		l.flush()
		l.run = &Run{Line: l.log.Lines}
		l.times = times{}
		l.names, l.heard = make(map[uint64]string), make(map[uint32]uint64)
	}
	l.boot = s.boot
	l.times.see(s.at)
	if version != nil {
		l.run.Release, l.run.Version = strings.ToValidUTF8(version[1], "�"), strings.ToValidUTF8(version[3], "�") // a header has no other bytes
	}
	return version != nil || boot
}

// keep gives the events of a line their time, unless it only repeats the one before.
func (l *reader) keep(events []schema.Event, s said) {
	if len(events) == 1 && len(l.run.Events) > 0 && saidTwice(s.text, l.before) &&
		l.run.Events[len(l.run.Events)-1].NameAddr == events[0].NameAddr {
		return
	}
	if l.before = s.text; len(events) == 0 {
		l.before = ""
	}
	l.run.Printed = l.run.Printed || s.event == "" && len(events) > 0
	for i := range events {
		events[i].Time = l.times.next()
		if events[i].TID == 0 { // drop_caches names its own
			events[i].PID, events[i].TID, events[i].Comm, events[i].CPU = s.pid, s.tid, s.comm, s.cpu
		}
		l.run.Last = max(l.run.Last, events[i].Time)
		l.heard[events[i].CPU] = events[i].Time
		l.unnoted(&events[i])
	}
	l.run.Events = append(l.run.Events, events...)
	l.events += len(events)
}

const notRegistered = "optional probe not registered: "

func (l *reader) read(s said) (events []schema.Event, known bool) {
	text := s.text
	if s.event != "" {
		e, ok := probed(s.event, text)
		return []schema.Event{e}, ok
	}
	if e, hidden, ok := match(driverForms, text, s.listed); ok {
		l.log.Hidden += uint64(hidden)
		return []schema.Event{e}, true
	}
	if symbol, ok := strings.CutPrefix(text, notRegistered); ok && isSymbol(symbol) {
		l.run.Missing = append(l.run.Missing, symbol)
		return nil, true
	}
	if e, slabs, ok := evict(text); ok {
		if !slabs {
			return nil, true
		}
		return []schema.Event{e}, true
	}
	if s.at.clock != noClock {
		return nil, false
	}
	events, hidden, ok := wording(text, s.listed)
	l.log.Hidden += uint64(hidden)
	return events, ok
}

var (
	// lostEvents is what tracefs and trace-cmd report print where a CPU's buffer was full.
	lostEvents = pattern(`^CPU:(\d{1,9}) \[(?:LOST )?(?:(\d{1,18}) )?EVENTS(?: DROPPED)?\]$`)
	// perfLost is what perf script --show-lost-events prints.
	perfLost = pattern(`PERF_RECORD_LOST(?:_SAMPLES)?()\s+lost (\d{1,18})$`)
	// perfHeader is what perf script --header prints of the machine.
	perfHeader = pattern(`^# (os release|arch) : (\S{1,64})$`)
)

// lost takes in that events are missing: of a CPU since its latest one, or in perf's words
// since the run began, until now.
func (l *reader) lost(text string) bool {
	first := uint64(0)
	m := lostEvents().FindStringSubmatch(text)
	if m == nil {
		m = perfLost().FindStringSubmatch(text)
	}
	if m == nil {
		return false
	}
	cpu, _ := strconv.ParseUint(m[1], 10, 32)
	if m[1] != "" {
		first = l.heard[uint32(cpu)]
	}
	count, _ := strconv.ParseUint(m[2], 10, 64) // without a number: at least one
	l.run.Lost = append(l.run.Lost, Lost{len(l.run.Events), &schema.Loss{Cause: schema.LossRingBuffer,
		Cpu: uint32(cpu), Count: max(count, 1), FirstNs: first, LastNs: max(first, l.times.now)}})
	return true
}

// machine takes in what a header says of the kernel.
func (l *reader) machine(text string) bool {
	m := perfHeader().FindStringSubmatch(text)
	if m == nil {
		return false
	}
	if m[1] == "arch" {
		l.run.Machine = m[2]
	} else {
		l.run.Release = m[2]
	}
	return true
}

// note is what a reader of a log writes behind a line of it: "(later cache hit)".
var note = pattern(`^ \([^()]+\)$`)

// unnoted takes a note off the name of an event. It may be part of the name: it is a note
// only where the log has said the name without it to be at the same address.
func (l *reader) unnoted(e *schema.Event) {
	if !e.Columns.Has(schema.ColumnKey) || !e.Columns.Has(schema.ColumnNameAddr) {
		return
	}
	before, known := l.names[e.NameAddr]
	if rest, ok := strings.CutPrefix(e.Name, before); known && ok && note().MatchString(rest) {
		e.Name, e.NameLen = before, uint32(len(before))
	}
	l.names[e.NameAddr] = e.Name
}

func isSymbol(s string) bool {
	return s != "" && len(s) < 128 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == ""
}

func (l *reader) unknown(line string, broken bool) {
	l.before = ""
	l.log.Unknown++
	if broken {
		l.log.Broken++
	}
	if l.skipped != nil {
		l.skipped(l.log.Lines, strings.TrimSuffix(line, "\n"), broken)
	}
}

// flush ends the run. One without events is none.
func (l *reader) flush() {
	if l.run != nil && len(l.run.Events) > 0 {
		l.log.Runs = append(l.log.Runs, l.run)
	}
	l.run = nil
}
