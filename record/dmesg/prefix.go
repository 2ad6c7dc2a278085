// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"strconv"
	"strings"
	"time"
)

// clock is what kind of time a line has. Times of two kinds are not compared.
type clock uint8

const (
	noClock   clock = iota
	printk          // seconds since boot: [   12.345678]
	wallClock       // a date with its year: dmesg -T, ISO 8601
	syslog          // a date without it: Feb  7 12:00:00
	clocks          // how many there are
)

// stamp is the time of a line: nanoseconds since boot, or since 1970 as if the date
// were UTC. Only differences of dates mean anything.
type stamp struct {
	clock clock
	ns    int64
}

// What terminals and tools put before a line: sudo's prompt, the place that rg gives
// it (":" matches, "-" context; of several files with the name of the file), the
// priority as dmesg -r and dmesg -x show it.
var (
	prompt   = pattern(`^\[sudo\] password for [^:]*: ?`)
	number   = pattern(`^\d+[:-]`)
	inFile   = pattern(`^[^\s:\[]+:\d+:`)
	besideIn = pattern(`^([^\s:\[]+(?::|-\d+-))(?:[-*] )?\[`) // without number, or context: only before a bracket
	priority = pattern(`^(?:<\d{1,3}>|[a-z]+ *:[a-z]+ *: )`)
)

var (
	bullet    = pattern(`^\s*[-*] `)
	seconds   = pattern(`^\[ *(\d{1,9})\.(\d{6})\](?:\[ *([TC]\d+)\])? ?`)
	ctime     = pattern(`^\[([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})\] ?`)
	iso       = pattern(`^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})[.,](\d{6})(?:Z|[+-]\d{2}:?\d{2}) (?:\S+ kernel: )?`)
	kmsg      = pattern(`^\d{1,4},\d+,(\d{1,18}),[-a-z+]+(?:,caller=([TC]\d+))?[^;]*;(.*)$`)
	ftrace    = pattern(`^ *(\S.{0,14}?)(?: +|-)(?:(\d{1,10})/)?(\d{1,10}) +(?:\( *[-\d]+\) +)?\[(\d{3,})\] +(?:[^\s:]{4,6} +)?(\d{1,9})\.(\d{6}(?:\d{3})?): +(?:\w+:)?(\w+): +(.*)$`)
	colour    = pattern("\x1b\\[[0-9;]*m")
	syslogDay = pattern(`^([A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}) \S+ kernel: ?`)
)

// said is what a line of a log says: its text, and who said it when.
type said struct {
	text   string
	at     stamp
	event  string // of the trace buffer, whose arguments the text is; empty: it is a message
	pid    uint32 // the process that printed it; 0: the line does not tell
	tid    uint32 // the thread that did; 0: the line does not tell, or an interrupt did
	cpu    uint32
	comm   string // of that thread; empty: the line does not tell
	boot   string // the boot it is of, as the journal calls it; empty: the line does not tell
	listed bool   // in the bullet of a list
}

// strip takes off a line what does not belong to its text: colours, what tools put before
// it, the bullet of a list, its time and its thread. A line with a time is one of a log,
// though a list holds it.
func strip(line string) said {
	if strings.Contains(line, "\x1b") {
		line = colour().ReplaceAllString(line, "")
	}
	if s, ok := traced(line); ok {
		return s
	}
	if s, ok := device(line); ok {
		return s
	}
	text := unprompted(unplaced(unprompted(line)))
	b := bullet().FindString(text)
	text = text[len(b):]
	var s said
	s.text, s.at = dated(text[len(priority().FindString(text)):])
	if m := seconds().FindStringSubmatch(s.text); m != nil { // the kernel's own time, whatever stands before
		s.text, s.at, s.tid = s.text[len(m[0]):], printkTime(m[1], m[2]+"000"), caller(m[3])
	}
	s.text = strings.TrimLeft(s.text, " \t")
	s.listed = b != "" && s.at.clock == noClock
	return s
}

// printkTime makes a stamp of seconds and the nine digits behind their point.
func printkTime(whole, fraction string) stamp {
	s, _ := strconv.ParseInt(whole, 10, 64)
	ns, _ := strconv.ParseInt(fraction, 10, 64)
	return stamp{printk, s*1e9 + ns}
}

// caller is the thread of what CONFIG_PRINTK_CALLER prints: T and a thread, or C and the CPU
// of an interrupt, which is no thread.
func caller(printed string) uint32 {
	digits, ok := strings.CutPrefix(printed, "T")
	if !ok {
		return 0
	}
	tid, _ := strconv.ParseUint(digits, 10, 32)
	return uint32(tid)
}

// device reads a record of /dev/kmsg: priority, sequence, microseconds, flags, perhaps the
// caller; then the text, in which the kernel has escaped what does not print.
func device(line string) (said, bool) {
	m := kmsg().FindStringSubmatch(line)
	if m == nil {
		return said{}, false
	}
	us, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || us > maxMicroseconds {
		return said{}, false
	}
	return said{text: m[3], at: stamp{printk, us * 1e3}, tid: caller(m[2])}, true
}

// maxMicroseconds keeps a stamp inside 64 bits of nanoseconds.
const maxMicroseconds = 1<<63/1000 - 1

// traced reads a line of the trace buffer, as tracefs, trace-cmd report and perf script
// print it: comm-thread [cpu] flags seconds: event: text. perf has a blank for the dash, and
// may have the process before the thread.
func traced(line string) (said, bool) {
	if !strings.Contains(line, "] ") {
		return said{}, false
	}
	m := ftrace().FindStringSubmatch(line)
	if m == nil {
		return said{}, false
	}
	s := said{event: m[7], text: m[8], at: printkTime(m[5], (m[6] + "000")[:9])}
	for _, n := range []struct {
		printed string
		to      *uint32
	}{{m[2], &s.pid}, {m[3], &s.tid}, {m[4], &s.cpu}} {
		v, err := strconv.ParseUint(n.printed, 10, 32)
		if err != nil && n.printed != "" {
			return said{}, false
		}
		*n.to = uint32(v)
	}
	if m[1] != unnamed {
		s.comm = m[1]
	}
	if s.event == "bpf_trace_printk" || strings.HasPrefix(s.event, "0x") { // before 5.6 an address stands for the event
		s.event = ""
	}
	return s, true
}

// unnamed is what the trace buffer prints for a thread whose comm it no longer knows.
const unnamed = "<...>"

func unprompted(text string) string { return text[len(prompt().FindString(text)):] }

// unplaced takes off the place that rg gives a line.
func unplaced(text string) string {
	if iso().MatchString(text) { // a date begins as a line number does
		return text
	}
	if n := number().FindString(text); n != "" {
		return text[len(n):]
	}
	if n := inFile().FindString(text); n != "" {
		return text[len(n):]
	}
	if m := besideIn().FindStringSubmatch(text); m != nil {
		return text[len(m[1]):]
	}
	return text
}

// dated takes a date off the start of the text.
func dated(text string) (string, stamp) {
	if m := ctime().FindStringSubmatch(text); m != nil {
		if t, err := time.Parse(time.ANSIC, m[1]); err == nil {
			return text[len(m[0]):], stamp{wallClock, t.UnixNano()}
		}
	}
	if m := iso().FindStringSubmatch(text); m != nil {
		if t, err := time.Parse("2006-01-02T15:04:05.000000", m[1]+"."+m[2]); err == nil {
			return text[len(m[0]):], stamp{wallClock, t.UnixNano()}
		}
	}
	if m := syslogDay().FindStringSubmatch(text); m != nil {
		// A leap year, so that Feb 29 is a day.
		if t, err := time.Parse("2006 Jan _2 15:04:05", "1972 "+m[1]); err == nil {
			return text[len(m[0]):], stamp{syslog, t.UnixNano()}
		}
	}
	return text, stamp{}
}
