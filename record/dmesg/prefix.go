// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"strconv"
	"strings"
	"time"
)

// clock is the kind of time a line has. Times of different kinds are not compared.
type clock uint8

const (
	noClock   clock = iota
	printk          // seconds since boot: [   12.345678]
	wallClock       // a date with a year: dmesg -T, ISO 8601
	syslog          // a date without a year: Feb  7 12:00:00
	clocks          // number of clocks
)

// stamp is the time of a line: nanoseconds since boot, or since 1970 if the date is read as UTC. Only
// differences of dates mean anything.
type stamp struct {
	clock clock
	ns    int64
}

// What terminals and tools put before a line: the prompt of sudo, the place that rg prints (":" for matches,
// "-" for context, preceded by the file name if there are several files), and the priority printed by dmesg
// -r and dmesg -x.
var (
	prompt        = pattern(`^\[sudo\] password for [^:]*: ?`)
	number        = pattern(`^\d+[:-]`)
	inFile        = pattern(`^[^\s:\[]+:\d+:`)
	contextInFile = pattern(`^([^\s:\[]+(?::|-\d+-))(?:[-*] )?\[`) // without a number, or context: only before a bracket
	priority      = pattern(`^(?:<\d{1,3}>|[a-z]+ *:[a-z]+ *: )`)
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

// logLine is the parsed form of a line of a log: its text, who printed it and when.
type logLine struct {
	text   string
	at     stamp
	event  string // event of the trace buffer, whose arguments are in text; empty for a message
	pid    uint32 // process that printed it; 0 if the line does not say
	tid    uint32 // thread that printed it; 0 if the line does not say or an interrupt printed it
	cpu    uint32
	comm   string // name of that thread; empty if the line does not say
	boot   string // boot id in the journal; empty if there is none
	listed bool   // it is a bullet of a list
}

// parseLine parses a line: it removes colours, prefixes of tools, the bullet of a list, the time and the thread.
// A line with a time belongs to a log even if it is in a list.
func parseLine(line string) logLine {
	if strings.Contains(line, "\x1b") {
		line = colour().ReplaceAllString(line, "")
	}
	if s, ok := parseTrace(line); ok {
		return s
	}
	if s, ok := parseKmsg(line); ok {
		return s
	}
	text := trimPrompt(trimPlace(trimPrompt(line)))
	b := bullet().FindString(text)
	text = text[len(b):]
	var s logLine
	s.text, s.at = parseDate(text[len(priority().FindString(text)):])
	if m := seconds().FindStringSubmatch(s.text); m != nil { // the kernel's own time takes precedence over a date before it
		s.text, s.at, s.tid = s.text[len(m[0]):], printkTime(m[1], m[2]+"000"), caller(m[3])
	}
	s.text = strings.TrimLeft(s.text, " \t")
	s.listed = b != "" && s.at.clock == noClock
	return s
}

// printkTime makes a stamp of seconds and the nine digits after the decimal point.
func printkTime(whole, fraction string) stamp {
	s, _ := strconv.ParseInt(whole, 10, 64)
	ns, _ := strconv.ParseInt(fraction, 10, 64)
	return stamp{printk, s*1e9 + ns}
}

// caller returns the thread that CONFIG_PRINTK_CALLER prints as T and its id. It returns 0 for C and a CPU,
// which stands for an interrupt.
func caller(printed string) uint32 {
	digits, ok := strings.CutPrefix(printed, "T")
	if !ok {
		return 0
	}
	tid, _ := strconv.ParseUint(digits, 10, 32)
	return uint32(tid)
}

// parseKmsg parses a record of /dev/kmsg: priority, sequence number, microseconds, flags, perhaps the caller,
// then the text, in which the kernel has escaped unprintable bytes.
func parseKmsg(line string) (logLine, bool) {
	m := kmsg().FindStringSubmatch(line)
	if m == nil {
		return logLine{}, false
	}
	us, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || us > maxMicroseconds {
		return logLine{}, false
	}
	return logLine{text: m[3], at: stamp{printk, us * 1e3}, tid: caller(m[2])}, true
}

// maxMicroseconds is the largest time whose nanoseconds fit into 64 bits.
const maxMicroseconds = 1<<63/1000 - 1

// parseTrace parses a line of the trace buffer as printed by tracefs, trace-cmd report and perf script:
// comm-thread [cpu] flags seconds: event: text. perf prints a blank instead of the dash, and may print the
// process before the thread.
func parseTrace(line string) (logLine, bool) {
	if !strings.Contains(line, "] ") {
		return logLine{}, false
	}
	m := ftrace().FindStringSubmatch(line)
	if m == nil {
		return logLine{}, false
	}
	s := logLine{event: m[7], text: m[8], at: printkTime(m[5], (m[6] + "000")[:9])}
	for _, n := range []struct {
		printed string
		to      *uint32
	}{{m[2], &s.pid}, {m[3], &s.tid}, {m[4], &s.cpu}} {
		v, err := strconv.ParseUint(n.printed, 10, 32)
		if err != nil && n.printed != "" {
			return logLine{}, false
		}
		*n.to = uint32(v)
	}
	if m[1] != unnamed {
		s.comm = m[1]
	}
	if s.event == "bpf_trace_printk" || strings.HasPrefix(s.event, "0x") { // before 5.6 an address stands for the event bpf_trace_printk
		s.event = ""
	}
	return s, true
}

// unnamed is what the trace buffer prints for a thread whose comm it no longer has.
const unnamed = "<...>"

func trimPrompt(text string) string { return text[len(prompt().FindString(text)):] }

// trimPlace removes the place that rg prints before a line.
func trimPlace(text string) string {
	if iso().MatchString(text) { // a date begins like a line number
		return text
	}
	if n := number().FindString(text); n != "" {
		return text[len(n):]
	}
	if n := inFile().FindString(text); n != "" {
		return text[len(n):]
	}
	if m := contextInFile().FindStringSubmatch(text); m != nil {
		return text[len(m[1]):]
	}
	return text
}

// parseDate removes a date from the start of the text and returns it as a stamp.
func parseDate(text string) (string, stamp) {
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
		// 1972 is a leap year, so that Feb 29 is valid.
		if t, err := time.Parse("2006 Jan _2 15:04:05", "1972 "+m[1]); err == nil {
			return text[len(m[0]):], stamp{syslog, t.UnixNano()}
		}
	}
	return text, stamp{}
}
