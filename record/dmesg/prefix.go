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
	seconds   = pattern(`^\[ *(\d{1,9})\.(\d{6})\](?:\[ *[TC]\d+\])? ?`)
	ctime     = pattern(`^\[([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})\] ?`)
	iso       = pattern(`^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})[.,](\d{6})(?:Z|[+-]\d{2}:?\d{2}) (?:\S+ kernel: )?`)
	syslogDay = pattern(`^([A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}) \S+ kernel: ?`)
)

// undress takes off a line what does not belong to its text: what tools put before
// it, the bullet of a list, and its time. A line with a time is one of a log, though
// a list holds it: listed is false.
func undress(line string) (text string, at stamp, listed bool) {
	text = unprompted(unplaced(unprompted(line)))
	b := bullet().FindString(text)
	text = text[len(b):]
	text, at = dated(text[len(priority().FindString(text)):])
	if m := seconds().FindStringSubmatch(text); m != nil {
		s, _ := strconv.ParseInt(m[1], 10, 64)
		us, _ := strconv.ParseInt(m[2], 10, 64)
		text, at = text[len(m[0]):], stamp{printk, s*1e9 + us*1e3} // the kernel's own time, whatever stands before
	}
	return strings.TrimLeft(text, " \t"), at, b != "" && at.clock == noClock
}

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
