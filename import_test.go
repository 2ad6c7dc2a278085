// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// imported imports a log and returns the trace's path and what import says.
func imported(t *testing.T, log string) (file, said string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "log.pb")
	var stdout, stderr bytes.Buffer
	if code := run([]string{"import", "-o", file, "-"}, strings.NewReader(log), &stdout, &stderr); code != 0 || stdout.Len() > 0 {
		t.Fatalf("import: exit %d\n%s", code, stderr.String())
	}
	return file, stderr.String()
}

// The lines that replay prints of a trace become a trace of which it prints the same
// lines: no value is lost on the way, and none is added.
func TestReplayedLinesImportAgain(t *testing.T) {
	files := append(samples(t), oddNames(t))
	for _, f := range files {
		lines := output(t, "replay", "--format", "dmesg", f)
		log, said := imported(t, lines)
		if !strings.Contains(said, ", 0 lines not understood\n") || strings.Contains(said, "warning") {
			t.Errorf("%s: %s", f, said)
		}
		if again := output(t, "replay", "--format", "dmesg", log); again != lines || lines == "" {
			t.Errorf("%s: %d bytes of lines, imported and printed again %d:\n%s", f, len(lines), len(again), firstDifference(lines, again))
		}
	}
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return "-" + as[i] + "\n+" + bs[i]
		}
	}
	return "one ends earlier"
}

// oddNames is a trace of names that lines have trouble with.
func oddNames(t *testing.T) string {
	t.Helper()
	return traceOf(t, func(emit func(*schema.Event)) {
		k := tracetest.NewKernel(1, emit)
		k.Task(7, "odd")
		for _, name := range []string{"a b", "a | b", `back\slash`, `\x41`, "new\nline", "\x1b[31m", "caf\xe9", "café", `"quoted"`, " ", "name ", "(____ptrval____)", strings.Repeat("n", 255)} {
			k.Open(true, "dir", name)
			k.Open(false, "dir", "no "+name)
		}
	})
}

// Nothing that takes two lines is proven from a log, however good it looks; a hash
// with its salt stands on one.
func TestNothingOfTwoLinesIsProvenFromALog(t *testing.T) {
	for _, f := range samples(t) {
		log, _ := imported(t, output(t, "replay", "--format", "dmesg", f))
		sum := output(t, "check", log)
		if !strings.Contains(sum, "\n0 proven, 0 refuted, ") || !strings.Contains(sum, "unproven: prefix of /tmp/t_e.txt") {
			t.Errorf("%s:\n%s", f, sum)
		}
		page := output(t, "report", log)
		for _, word := range []string{"**proven**", "pid 0", "parent 0x0", "no dentry", "(negative)", "Linux"} {
			if strings.Contains(page, word) {
				t.Errorf("%s: the page has %q", f, word)
			}
		}
		calls := strconv.Itoa(strings.Count(output(t, "replay", "--format", "dmesg", f), "[O] IN: "))
		if same := output(t, "diff", log, log); !strings.Contains(same, "the same: "+calls+" calls of "+calls+" and "+calls) {
			t.Errorf("%s: %s, want %s calls", f, same, calls)
		}
	}
	salted := "full_name_hash return: %s length 7 salt 0xffff8f29481d6e40 name t_m.txt/rest\n"
	for hash, want := range map[string]string{"1429044786": "\n1 proven, 0 refuted, 0 unproven", "1429044787": "\n0 proven, 0 refuted, 1 unproven"} {
		log, _ := imported(t, strings.Replace(salted, "%s", hash, 1))
		if sum := "\n" + output(t, "check", log); !strings.Contains(sum, want) {
			t.Errorf("hash %s:\n%s", hash, sum)
		}
	}
	// A name that is cut, or a salt that %p hides, proves nothing.
	for _, line := range []string{
		"full_name_hash return: 1429044786 length 8 salt 0xffff8f29481d6e40 name t_m.txt\n",
		"full_name_hash return: 1429044786 length 7 salt 0x00000000481d6e40 name t_m.txt\n",
	} {
		log, _ := imported(t, line)
		if sum := output(t, "check", log); strings.Contains(sum, "1 proven") {
			t.Errorf("%s%s", line, sum)
		}
	}
}
