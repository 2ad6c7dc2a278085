// SPDX-License-Identifier: Apache-2.0

// Package suitetest parses KTAP according to the kernel's Documentation/dev-tools/ktap.rst, for tests of
// what is printed.
package suitetest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Line is the result of one test.
type Line struct {
	OK        bool
	Name      string
	Directive string // SKIP, TODO, XFAIL, TIMEOUT, ERROR; empty: none
}

// KTAP parses a flat document: the version, the plan, and for each test a result with its number, in order,
// and a name that no other test has. There may be diagnostic lines in between.
func KTAP(text string) ([]Line, error) {
	rest, ok := strings.CutPrefix(text, "KTAP version 1\n1..")
	count, rest, ends := strings.Cut(rest, "\n")
	planned, err := strconv.Atoi(count)
	if !ok || !ends || err != nil || text[len(text)-1] != '\n' {
		return nil, errors.New("no version, plan or last line")
	}
	var lines []Line
	names := make(map[string]bool)
	// <result> <number> [<description>][ # [<directive>] [<diagnostic data>]]
	result := regexp.MustCompile(`^(ok|not ok) ([0-9]+)( [^#\n]*?)?( # (SKIP|TODO|XFAIL|TIMEOUT|ERROR)?( .*)?)?$`)
	for line := range strings.Lines(rest) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "# ") {
			continue
		}
		m := result.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%q is no result", line)
		}
		l := Line{m[1] == "ok", strings.TrimPrefix(m[3], " "), m[5]}
		if lines = append(lines, l); m[2] != strconv.Itoa(len(lines)) || names[l.Name] || l.Name == "" {
			return nil, fmt.Errorf("%q is out of order, or its name is used twice", line)
		}
		names[l.Name] = true
	}
	if len(lines) != planned {
		return nil, fmt.Errorf("%d tests of %d planned", len(lines), planned)
	}
	return lines, nil
}
