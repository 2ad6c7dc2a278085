// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every "$ dtrec …" in a console block of the README is run, and what stands below
// it is what dtrec prints; a line of "…" stands for any number of lines.
func TestReadmeExamplesAreTrue(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(readme, []byte("\n")); lines > 150 {
		t.Errorf("README.md has %d lines, at most 150 are wanted", lines)
	}
	ran := 0
	for _, block := range strings.Split(string(readme), "```console\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for _, example := range strings.Split("\n"+block, "\n$ ")[1:] {
			line, want, _ := strings.Cut(example, "\n")
			args := strings.Fields(line)
			if args[0] != "dtrec" {
				continue
			}
			ran++
			args, toFile := redirected(args[1:])
			got := output(t, args...)
			if !toFile {
				matchLines(t, line, got, want)
			}
		}
	}
	if ran == 0 {
		t.Error("README.md has no example that was run")
	}
}

// redirected takes "> FILE" off a command line.
func redirected(args []string) ([]string, bool) {
	for i, a := range args {
		if a == ">" {
			return args[:i], true
		}
	}
	return args, false
}

// matchLines holds the printed lines against the wanted ones.
func matchLines(t *testing.T, command, got, want string) {
	t.Helper()
	have := strings.Split(strings.TrimRight(got, "\n"), "\n")
	at, skip := 0, false
	for _, w := range strings.Split(strings.TrimRight(want, "\n"), "\n") {
		if strings.TrimSpace(w) == "…" {
			skip = true
			continue
		}
		for skip && at < len(have) && have[at] != w {
			at++
		}
		if skip = false; at >= len(have) || have[at] != w {
			t.Errorf("$ %s\nprints no line %q there", command, w)
			return
		}
		at++
	}
}

// The excerpt of a report at the top of the README stands so in the report of the
// sample it names.
func TestReadmeExcerptIsReal(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, excerpt, found := strings.Cut(string(readme), "<!-- from traces/run1.pb -->\n")
	excerpt, _, closed := strings.Cut(excerpt, "<!-- end -->")
	if !found || !closed {
		t.Fatal("README.md has no excerpt between its marks")
	}
	page := output(t, "report", filepath.Join("traces", "run1.pb"))
	for _, line := range strings.Split(excerpt, "\n") {
		if line != "" && line != "…" && !strings.Contains(page, line+"\n") {
			t.Errorf("not in the report: %s", line)
		}
	}
}
