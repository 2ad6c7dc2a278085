// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// counts says how many hits a recording holds.
type counts struct {
	hits map[string]uint64 // by probe
	lost uint64            // according to the tool itself
}

func (c counts) total() (n uint64) {
	for _, hits := range c.hits {
		n += hits
	}
	return n
}

// countTrace counts with dtrec's own reader. If a role is recorded on return only, the return stands for the
// entry too.
func countTrace(path, _ string) (counts, error) {
	f, err := os.Open(path)
	if err != nil {
		return counts{}, err
	}
	defer f.Close()
	r, err := schema.NewReader(f, 0)
	if err != nil {
		return counts{}, err
	}
	defer r.Close()
	c := counts{hits: map[string]uint64{}}
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		switch v := record.(type) {
		case *schema.Event:
			c.hits[probeName(v)]++
		case *schema.Footer:
			c.lost = v.Lost
		}
	}
}

func probeName(e *schema.Event) string {
	if e.Phase == schema.Exit && e.Role != schema.RoleInsert { // insert is recorded once, and counts as an entry in any phase
		return e.Role.Label() + "_exit"
	}
	return e.Role.Label() + "_enter"
}

// countPerf counts what perf script prints, and the losses that it shows.
func countPerf(path, _ string) (counts, error) {
	c := counts{}
	var err error
	c.hits, err = countWords(func(line []byte) []byte {
		if bytes.Contains(line, []byte("PERF_RECORD_LOST")) {
			c.lost += sum(`(\d+)\D*$`, string(line))
			return nil
		}
		return perfLine(line)
	}, "perf", "script", "-i", path, "-F", "event", "--show-lost-events")
	return c, err
}

// countTraceCmd counts what trace-cmd report prints. How much was overwritten is in what trace-cmd record
// said at its end.
func countTraceCmd(path, said string) (counts, error) {
	hits, err := countWords(reportLine, "trace-cmd", "report", "-i", path)
	return counts{hits: hits, lost: sum(`(?m)^(?:(?:commit )?overrun|dropped events): (\d+)$`, said)}, err
}

// sum adds the numbers that the group of a pattern matches.
func sum(pattern, text string) (total uint64) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		n, _ := strconv.ParseUint(m[1], 10, 64)
		total += n
	}
	return total
}

// perfLine returns the event in a line such as "dtbench:open_enter: ".
func perfLine(line []byte) []byte {
	_, name, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
	return bytes.TrimSuffix(name, []byte(":"))
}

// reportLine returns the event in a line of trace-cmd report: the fourth word, after task, CPU and time.
func reportLine(line []byte) []byte {
	if fields := bytes.Fields(line); len(fields) > 3 {
		return bytes.TrimSuffix(fields[3], []byte(":"))
	}
	return nil
}

// countLines counts the lines that bpftrace printed.
func countLines(path, said string) (counts, error) {
	text, err := os.ReadFile(path)
	hits := countIn(bytes.NewReader(text), func(line []byte) []byte { word, _, _ := bytes.Cut(line, []byte(" ")); return word })
	return counts{hits: hits, lost: sum(`Lost (\d+) events`, said+string(text))}, err
}

// countWords counts for each probe the lines of a command's output that are about it.
func countWords(about func(line []byte) []byte, command ...string) (map[string]uint64, error) {
	cmd := exec.Command(command[0], command[1:]...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	hits := countIn(out, about)
	if err := cmd.Wait(); err != nil {
		return hits, fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, complaint.String())
	}
	return hits, nil
}

func countIn(r io.Reader, about func(line []byte) []byte) map[string]uint64 {
	hits := map[string]uint64{}
	for _, p := range probes() {
		hits[p.name] = 0
	}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		name := string(about(lines.Bytes()))
		if _, known := hits[name]; known {
			hits[name]++
		}
	}
	return hits
}
