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

// maxLine bounds the length of a line in bytes. The rest of a longer line is dropped, so that a name at its
// end is cut. The kernel's own lines are at most 1024 bytes long.
const maxLine = 64 << 10

// maxEvents bounds the number of events in a log, as all of them are kept in memory. The kernel's own buffer
// holds a few thousand lines.
const maxEvents = 1 << 17

// ErrTooLong says that a log has more than maxEvents events.
var ErrTooLong = fmt.Errorf("it says more than %d events", maxEvents)

// Log is a kernel log as it was read.
type Log struct {
	Runs    []*Run // those with at least one event, in order
	Lines   uint64
	Unknown uint64 // number of lines that were not understood
	Broken  uint64 // those among them that begin like a line of the module
	Hidden  uint64 // number of pointers that %p made unreadable
	Report  string // id of the run, if the log is a report by dtrec; otherwise empty
}

// Run holds what one boot of the kernel printed.
type Run struct {
	Line    uint64 // number of its first line, from 1
	Release string // kernel release; empty if the log does not name it
	Version string
	Machine string         // architecture as in uname(2); empty if the log does not name it
	Events  []schema.Event // in the order of the log, without ids
	Lost    []Lost         // in order
	Printed bool           // some line came from printk; otherwise all are from probes of perf or trace-cmd
	Missing []string       // symbols the module could not probe
	Last    uint64         // latest time of an event, nanoseconds
}

// Lost is a loss that the text of a trace buffer reports.
type Lost struct {
	Before int // number of events of the run before it
	Loss   *schema.Loss
}

// Skipped is called with each line that is not understood; broken means that it begins like a line of the
// module.
type Skipped func(line uint64, text string, broken bool)

// Read reads a log to its end and keeps every event. The error is that of the io.Reader, of a broken JSON
// record, or ErrTooLong.
func Read(r io.Reader, skipped Skipped) (*Log, error) {
	l := &reader{log: &Log{}, skipped: skipped}
	in := bufio.NewReaderSize(plainText(r), maxLine)
	if records := jsonRecords(in); records != nil {
		return l.log, l.readRecords(records)
	}
	for {
		line, err := nextLine(in)
		if err != nil && line == "" {
			if l.flush(); err == io.EOF {
				err = nil
			}
			return l.log, err
		}
		if err := l.readLine(line, parseLine(line)); err != nil {
			return l.log, err
		}
	}
}

// nextLine returns a line without its line end, cut at maxLine. An empty line is returned as "\n".
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
			line = "\n" // to tell an empty line from the end
		}
	}
	return line, err
}

// reader is the state of reading a log.
type reader struct {
	log       *Log
	skipped   Skipped
	run       *Run
	times     times
	events    int               // number of events in all runs
	names     map[uint64]string // of this run: the name last seen at an address
	lastOnCPU map[uint32]uint64 // of this run: time of the latest event of a CPU, nanoseconds
	boot      string            // boot id of the run in the journal; empty if there is none
	before    string            // text of the previous line; empty if it said no event
}

var linuxVersion = pattern(`^Linux version (\S+) ?([^#]*)(#.*)?$`)

// anotherBoot matches the line that journalctl prints between two boots.
var anotherBoot = pattern(`^-- (?:Boot [0-9a-f]{32}|Reboot) --$`)

// ownReport matches the line in which a report by dtrec says which run it is about.
var ownReport = pattern("^This (?:report uses one run|page uses one run of a kernel log): id `([0-9a-f]{32})`, ")

// readLine processes one line, given as it stands in the log and as parseLine has parsed it.
//
//  1. Its time may show that another run has begun; so do the kernel's first
//     line and the separator of journalctl.
//  2. The module's lines, the kernel's drop_caches line and the wording of reports
//     are tried in this order.
//  3. Any other line is counted as unknown.
//
// The error is ErrTooLong.
func (l *reader) readLine(line string, s logLine) error {
	l.log.Lines++
	if l.beginRun(s) {
		return nil
	}
	if m := ownReport().FindStringSubmatch(s.text); m != nil && s.at.clock == noClock {
		l.log.Report = m[1]
	}
	events, known := l.parseEvents(s)
	if !known && !l.noteLoss(s.text) && !l.noteMachine(s.text) {
		l.countUnknown(line, s.event == "" && driverStarts().MatchString(s.text) || isProbe(s.event))
	}
	if !known {
		return nil
	}
	if l.keep(events, s); l.events > maxEvents {
		return ErrTooLong
	}
	return nil
}

// beginRun begins another run if the line shows one, and reports whether the line says nothing else.
func (l *reader) beginRun(s logLine) bool {
	version := linuxVersion().FindStringSubmatch(s.text)
	boot := s.at.clock == noClock && anotherBoot().MatchString(s.text)
	if l.run == nil || version != nil || boot || l.boot != s.boot || l.times.restarted(s.at) {
		l.flush()
		l.run = &Run{Line: l.log.Lines}
		l.times = times{}
		l.names, l.lastOnCPU = make(map[uint64]string), make(map[uint32]uint64)
	}
	l.boot = s.boot
	l.times.observe(s.at)
	if version != nil {
		l.run.Release, l.run.Version = strings.ToValidUTF8(version[1], "�"), strings.ToValidUTF8(version[3], "�") // a header must be valid UTF-8
	}
	return version != nil || boot
}

// keep adds the events of a line to the run and sets their times, unless the line only repeats the one
// before.
func (l *reader) keep(events []schema.Event, s logLine) {
	if len(events) == 1 && len(l.run.Events) > 0 && isRepeat(s.text, l.before) &&
		l.run.Events[len(l.run.Events)-1].NameAddr == events[0].NameAddr {
		return
	}
	if l.before = s.text; len(events) == 0 {
		l.before = ""
	}
	l.run.Printed = l.run.Printed || s.event == "" && len(events) > 0
	for i := range events {
		events[i].Time = l.times.next()
		if events[i].TID == 0 { // drop_caches names its own task
			events[i].PID, events[i].TID, events[i].Comm, events[i].CPU = s.pid, s.tid, s.comm, s.cpu
		}
		l.run.Last = max(l.run.Last, events[i].Time)
		l.lastOnCPU[events[i].CPU] = events[i].Time
		l.stripRemark(&events[i])
	}
	l.run.Events = append(l.run.Events, events...)
	l.events += len(events)
}

const notRegistered = "optional probe not registered: "

func (l *reader) parseEvents(s logLine) (events []schema.Event, known bool) {
	text := s.text
	if s.event != "" {
		e, ok := probeEvent(s.event, text)
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
	if e, slabs, ok := parseDropCaches(text); ok {
		if !slabs {
			return nil, true
		}
		return []schema.Event{e}, true
	}
	if s.at.clock != noClock {
		return nil, false
	}
	events, hidden, ok := parseWording(text, s.listed)
	l.log.Hidden += uint64(hidden)
	return events, ok
}

var (
	// lostEvents matches what tracefs and trace-cmd report print if the buffer of a CPU was full.
	lostEvents = pattern(`^CPU:(\d{1,9}) \[(?:LOST )?(?:(\d{1,18}) )?EVENTS(?: DROPPED)?\]$`)
	// perfLost matches what perf script --show-lost-events prints.
	perfLost = pattern(`PERF_RECORD_LOST(?:_SAMPLES)?()\s+lost (\d{1,18})$`)
	// perfHeader matches what perf script --header prints about the machine.
	perfHeader = pattern(`^# (os release|arch) : (\S{1,64})$`)
)

// noteLoss records that events are missing up to now: on one CPU since its latest event, or, if perf says so,
// since the beginning of the run. It returns false for any other line.
func (l *reader) noteLoss(text string) bool {
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
		first = l.lastOnCPU[uint32(cpu)]
	}
	count, _ := strconv.ParseUint(m[2], 10, 64) // no number means at least one
	l.run.Lost = append(l.run.Lost, Lost{len(l.run.Events), &schema.Loss{Cause: schema.LossRingBuffer,
		Cpu: uint32(cpu), Count: max(count, 1), FirstNs: first, LastNs: max(first, l.times.now)}})
	return true
}

// noteMachine reads the release or the architecture from perf's header. It returns false for any other line.
func (l *reader) noteMachine(text string) bool {
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

// remark matches a remark that a reader of the log has added to a line, such as "(later cache hit)".
var remark = pattern(`^ \([^()]+\)$`)

// stripRemark removes such a remark from the name of an event. As it could be part of the name, it is removed
// only if the log has given the name without it at the same address before.
func (l *reader) stripRemark(e *schema.Event) {
	if !e.Columns.Has(schema.ColumnKey) || !e.Columns.Has(schema.ColumnNameAddr) {
		return
	}
	before, known := l.names[e.NameAddr]
	if rest, ok := strings.CutPrefix(e.Name, before); known && ok && remark().MatchString(rest) {
		e.Name, e.NameLen = before, uint32(len(before))
	}
	l.names[e.NameAddr] = e.Name
}

func isSymbol(s string) bool {
	return s != "" && len(s) < 128 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == ""
}

func (l *reader) countUnknown(line string, broken bool) {
	l.before = ""
	l.log.Unknown++
	if broken {
		l.log.Broken++
	}
	if l.skipped != nil {
		l.skipped(l.log.Lines, strings.TrimSuffix(line, "\n"), broken)
	}
}

// flush ends the run. A run without events is dropped.
func (l *reader) flush() {
	if l.run != nil && len(l.run.Events) > 0 {
		l.log.Runs = append(l.log.Runs, l.run)
	}
	l.run = nil
}
