// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/cli"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// pageChecker checks a report against the events of the trace it was made from. It shares no code with
// the report: it reads the page as text and the events as JSON.
type pageChecker struct {
	events map[uint64]map[uint64]bool // by event id: every number in the event
	layout map[uint64]bool            // every number in the header
	counts map[string]int             // how many places of each form were checked
}

func newPageChecker(jsonl []byte) (*pageChecker, error) {
	c := &pageChecker{events: make(map[uint64]map[uint64]bool), layout: make(map[uint64]bool), counts: make(map[string]int)}
	in := bufio.NewScanner(bytes.NewReader(jsonl))
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var object map[string]any
		dec := json.NewDecoder(bytes.NewReader(in.Bytes()))
		dec.UseNumber()
		if err := dec.Decode(&object); err != nil {
			return nil, fmt.Errorf("%w in %.100s", err, in.Text())
		}
		switch object["type"] {
		case "header":
			collectNumbers(object, c.layout)
		case "event":
			id, err := strconv.ParseUint(fmt.Sprint(object["id"]), 10, 64)
			if err != nil {
				return nil, err
			}
			c.events[id] = make(map[uint64]bool)
			collectNumbers(object, c.events[id])
		}
	}
	return c, in.Err()
}

// collectNumbers adds every number and every hexadecimal string in v to a set.
func collectNumbers(v any, into map[uint64]bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			collectNumbers(e, into)
		}
	case []any:
		for _, e := range v {
			collectNumbers(e, into)
		}
	case json.Number:
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			into[n] = true
		}
	case string:
		if n, err := strconv.ParseUint(strings.TrimPrefix(v, "0x"), 16, 64); err == nil && strings.HasPrefix(v, "0x") {
			into[n] = true
		}
	}
}

var (
	pageOperand  = `(0x[0-9a-f]+) \(([^()]*#\d+[^()]*)\)`
	pageCited    = regexp.MustCompile(pageOperand)
	pageMinus    = regexp.MustCompile(pageOperand + ` − ` + pageOperand + ` = (0x[0-9a-f]+) = (\d+)`)
	pageBare     = regexp.MustCompile(`(0x[0-9a-f]+) − (0x[0-9a-f]+) = (0x[0-9a-f]+) = (\d+), offset of`)
	pageBucket   = regexp.MustCompile(`\((0x[0-9a-f]+) − (0x[0-9a-f]+)\) / 8 = (\d+), (\d+) >> (\d+) = (\d+)`)
	pageEqual    = regexp.MustCompile(pageOperand + `(?: = ` + pageOperand + `)+`)
	pageMinusAny = regexp.MustCompile(`0x[0-9a-f]+[^−\n]{0,80}− *0x`)
	pageEvent    = regexp.MustCompile(`#(\d+)`)
	pagePointer  = regexp.MustCompile(`pointer = (0x[0-9a-f]+)[^#]*#(\d+)`)
)

// check returns what is wrong with a page.
func (c *pageChecker) check(page string) (wrong []string) {
	complain := func(line, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf(format, args...)+" in: "+line)
	}
	for _, line := range strings.Split(page, "\n") {
		line = withoutNames(line)
		for _, m := range pageEvent.FindAllStringSubmatch(line, -1) {
			if c.counts["citation"]++; c.events[number(m[1])] == nil && number(m[1]) != 0 && !strings.Contains(line, "Linux") {
				complain(line, "event #%s is not in the trace", m[1])
			}
		}
		for _, m := range pageCited.FindAllStringSubmatch(line, -1) {
			if c.counts["operand"]++; !c.holds(m[2], number(m[1])) {
				complain(line, "no event cited by %q holds %s", m[2], m[1])
			}
		}
		for _, m := range pagePointer.FindAllStringSubmatch(line, -1) {
			if c.counts["pointer"]++; !c.events[number(m[2])][number(m[1])] {
				complain(line, "#%s does not hold %s", m[2], m[1])
			}
		}
		n := 0
		for _, m := range pageMinus.FindAllStringSubmatch(line, -1) {
			n++
			if number(m[1])-number(m[3]) != number(m[5]) || number(m[5]) != number(m[6]) {
				complain(line, "%s − %s is not %s = %s", m[1], m[3], m[5], m[6])
			}
		}
		for _, m := range pageBare.FindAllStringSubmatch(line, -1) {
			n++
			if number(m[1])-number(m[2]) != number(m[3]) || number(m[3]) != number(m[4]) || !c.layout[number(m[4])] {
				complain(line, "%s − %s is not %s = %s, or that is no offset of this kernel", m[1], m[2], m[3], m[4])
			}
		}
		for _, m := range pageBucket.FindAllStringSubmatch(line, -1) {
			n++
			if (number(m[1])-number(m[2]))/8 != number(m[3]) || number(m[4])>>number(m[5]) != number(m[6]) ||
				number(m[3]) != number(m[6]) || !c.layout[number(m[2])] {
				complain(line, "the bucket arithmetic is wrong")
			}
		}
		c.counts["subtraction"] += n
		if all := len(pageMinusAny.FindAllString(line, -1)); all != n {
			complain(line, "%d subtractions of which %d have a form that can be checked", all, n)
		}
		for _, m := range pageEqual.FindAllString(line, -1) {
			c.counts["equality"]++
			terms := pageCited.FindAllStringSubmatch(m, -1)
			for _, t := range terms {
				if t[1] != terms[0][1] {
					complain(line, "%s is not %s", t[1], terms[0][1])
				}
			}
		}
	}
	return wrong
}

// withoutNames removes the contents of the code spans in a line, as a file's name may look like #25.
func withoutNames(line string) string {
	var out strings.Builder
	for {
		start := strings.IndexByte(line, '`')
		if start < 0 {
			return out.String() + line
		}
		fence := line[start : len(line)-len(strings.TrimLeft(line[start:], "`"))]
		inside := start + len(fence)
		end := endOfSpan(line[inside:], fence)
		if end < 0 {
			out.WriteString(line[:inside])
			line = line[inside:]
			continue
		}
		out.WriteString(line[:inside] + fence)
		line = line[inside+end+len(fence):]
	}
}

// endOfSpan returns the index of the next run of backticks that is as long as the fence, or −1.
func endOfSpan(s, fence string) int {
	for i := 0; i < len(s); {
		if s[i] != '`' {
			i++
			continue
		}
		run := len(s[i:]) - len(strings.TrimLeft(s[i:], "`"))
		if run == len(fence) {
			return i
		}
		i += run
	}
	return -1
}

func TestWithoutNames(t *testing.T) {
	for in, want := range map[string]string{
		"D1 | `#25`, `ext4` 0:29 (#7)":     "D1 | ``, `` 0:29 (#7)",
		"``a`#1``, b (#2)":                 "````, b (#2)",
		"─ lookup a`tick #1 → D1 #2–#3":    "─ lookup a`tick #1 → D1 #2–#3",
		"```` wild_names/``` #9 ```` (#3)": "```````` (#3)",
	} {
		if got := withoutNames(in); got != want {
			t.Errorf("%s becomes %s", in, got)
		}
	}
}

// holds reports whether an event cited in the text contains the number.
func (c *pageChecker) holds(text string, n uint64) bool {
	for _, m := range pageEvent.FindAllStringSubmatch(text, -1) {
		if c.events[number(m[1])][n] {
			return true
		}
	}
	return false
}

// number parses a decimal number or one with 0x; the patterns match nothing else.
func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return 1<<64 - 1
	}
	return n
}

// checkPage makes the report and the events of a trace with the commands, and checks one against the
// other.
func checkPage(t *testing.T, trace string) {
	t.Helper()
	page, jsonl := output(t, "report", trace), output(t, "replay", "--format", "json", trace)
	c, err := newPageChecker([]byte(jsonl))
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range c.check(page) {
		if i == 20 {
			t.Fatal("and more")
		}
		t.Error(w)
	}
	t.Logf("%s: checked %v", filepath.Base(trace), c.counts)
	for _, form := range []string{"citation", "operand", "pointer", "subtraction", "equality"} {
		if c.counts[form] == 0 {
			t.Errorf("the page has no %s to check", form)
		}
	}
	spoilPage(t, c, page)
}

// spoilPage checks that the checker notices one changed digit in a subtraction, an equality and a
// citation.
func spoilPage(t *testing.T, c *pageChecker, page string) {
	t.Helper()
	for name, at := range map[string]*regexp.Regexp{"subtraction": pageMinus, "equality": pageEqual, "pointer": pagePointer} {
		span := at.FindStringIndex(page)
		if span == nil {
			continue
		}
		m := page[span[0]:span[1]]
		digit := strings.Index(m, "0x") + 14
		spoiled := m[:digit] + string("0123456789abcdef0"[strings.IndexByte("0123456789abcdef", m[digit])+1]) + m[digit+1:]
		if len(c.check(strings.Replace(page, m, spoiled, 1))) == 0 {
			t.Errorf("a changed digit in a %s goes unnoticed: %s", name, spoiled)
		}
	}
}

// output runs dtrec in this process and returns its stdout; its exit code must be 0.
func output(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := cli.Run(args, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("dtrec %s: exit %d\n%s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.String()
}

func samples(t *testing.T) []string {
	t.Helper()
	return tracetest.FileNames(t, "traces/*.pb")
}

// TestReportsOfSamplesHoldAgainstTheirEvents checks every number in the report of every sample trace
// against its events.
func TestReportsOfSamplesHoldAgainstTheirEvents(t *testing.T) {
	for _, f := range samples(t) {
		t.Run(filepath.Base(f), func(t *testing.T) { checkPage(t, f) })
	}
}

func TestPageOfGeneratedTraceHolds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gen.pb")
	b, err := tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(20000, emit) })
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	checkPage(t, file)
}
