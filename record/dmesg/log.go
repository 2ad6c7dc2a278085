// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"bufio"
	"errors"
	"fmt"
	"io"
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
	Events  []schema.Event // in the order of the log; ids are not set
	Missing []string       // symbols the module could not probe
	Last    uint64         // latest time, nanoseconds
}

// Skipped is told of each line that is not understood.
type Skipped func(line uint64, text string, broken bool)

// Read reads a log to its end. It keeps every event. The error is the reader's.
func Read(r io.Reader, skipped Skipped) (*Log, error) {
	l := &reader{log: &Log{}, skipped: skipped}
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := nextLine(in)
		if err != nil && line == "" {
			if l.flush(); err == io.EOF {
				err = nil
			}
			return l.log, err
		}
		if l.line(line); l.events > maxEvents {
			return l.log, ErrTooLong
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
	events  int    // of all runs
	before  string // the text of the line before, if it said an event
}

var linuxVersion = pattern(`^Linux version (\S+) ?([^#]*)(#.*)?$`)

// anotherBoot is what journalctl prints between two boots.
var anotherBoot = pattern(`^-- (?:Boot [0-9a-f]{32}|Reboot) --$`)

// ownPage is the line of a report by dtrec that says which run it is of.
var ownPage = pattern("^This (?:report uses one run|page uses one run of a kernel log): id `([0-9a-f]{32})`, ")

// line takes one line in.
//
//  1. Its time may show that another run has begun; so do the kernel's first
//     line and the separator of journalctl.
//  2. The module's lines, the kernel's drop_caches line and the words of reports are
//     tried in this order.
//  3. What remains is counted.
func (l *reader) line(line string) {
	l.log.Lines++
	text, at, listed := undress(line)
	if l.boundary(text, at) {
		return
	}
	if m := ownPage().FindStringSubmatch(text); m != nil && at.clock == noClock {
		l.log.Report = m[1]
	}
	events, known := l.read(text, at, listed)
	if !known {
		l.unknown(line, driverStarts().MatchString(text))
		return
	}
	l.keep(events, text)
}

// boundary begins another run where a line shows one, and reports whether the line says
// no more than that.
func (l *reader) boundary(text string, at stamp) bool {
	version := linuxVersion().FindStringSubmatch(text)
	boot := at.clock == noClock && anotherBoot().MatchString(text)
	if l.run == nil || version != nil || boot || l.times.restarted(at) {
		l.flush()
		l.run = &Run{Line: l.log.Lines}
		l.times = times{}
	}
	l.times.see(at)
	if version != nil {
		l.run.Release, l.run.Version = strings.ToValidUTF8(version[1], "�"), strings.ToValidUTF8(version[3], "�") // a header has no other bytes
	}
	return version != nil || boot
}

// keep gives the events of a line their time, unless it only repeats the one before.
func (l *reader) keep(events []schema.Event, text string) {
	if len(events) == 1 && len(l.run.Events) > 0 && saidTwice(text, l.before) &&
		l.run.Events[len(l.run.Events)-1].NameAddr == events[0].NameAddr {
		return
	}
	if l.before = text; len(events) == 0 {
		l.before = ""
	}
	for i := range events {
		events[i].Time = l.times.next()
		l.run.Last = max(l.run.Last, events[i].Time)
	}
	l.run.Events = append(l.run.Events, events...)
	l.events += len(events)
}

const notRegistered = "optional probe not registered: "

func (l *reader) read(text string, at stamp, listed bool) (events []schema.Event, known bool) {
	if e, hidden, ok := match(driverForms, text, listed); ok {
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
	if at.clock != noClock {
		return nil, false
	}
	events, hidden, ok := wording(text, listed)
	l.log.Hidden += uint64(hidden)
	return events, ok
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
