// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema/tracetest"
)

// numbers are the counts that a command prints for a trace, by the words of docs/answers.md: "calls",
// "failed", and the operations.
type numbers map[string]uint64

// TestOneWordHasOneNumber checks that summary, top, show, info, replay, export and the pages agree on
// the numbers of calls, failures and operations.
func TestOneWordHasOneNumber(t *testing.T) {
	for _, trace := range tracetest.FileNames(t, "traces/*.pb", "test/git.pb", "test/cases/*.pb", "report/testdata/*.pb", "test/random/*.pb") {
		want := summaryNumbers(t, trace)
		for what, got := range map[string]numbers{
			"top": topNumbers(t, trace), "export": exportNumbers(t, trace), "show": showNumbers(t, trace), "info": infoNumbers(t, trace), "replay": replayNumbers(t, trace), "the page": pageNumbers(t, trace),
			"the page's value": pageValueNumbers(t, trace),
		} {
			for word, n := range got {
				if n != want[word] {
					t.Errorf("%s: %s: %s %d, the summary %d", trace, what, word, n, want[word])
				}
			}
		}
	}
}

// TestOpensOfAPageUnderFilters checks that a page and the summary agree under filters too: an open
// counts if replay prints a line of it, whichever of its events that is.
func TestOpensOfAPageUnderFilters(t *testing.T) {
	t.Parallel()
	for _, trace := range tracetest.FileNames(t, "test/git.pb", "traces/run1.pb", "test/cases/questions.pb") {
		for _, filter := range [][]string{{"--failed"}, {"--errno", "ENOENT"}, {"--class", "rcu"}, {"--slower", "100us"}, {"--op", "open"}, {"--op", "exec,stat"}, {"--comm", "git"},
			{"--to", "+0.0788"}, {"--from", "+0.1"}, {"--path", "/lib64/ld-linux-x86-64.so.2"}, {"--name", "ld-linux-x86-64.so.2"}, {"--object", "D7"}} {
			var opens uint64
			for _, m := range regexp.MustCompile(`(?m)^picked opens: (\d+)`).FindAllStringSubmatch(output(t, append([]string{"report", trace}, filter...)...), -1) {
				opens += number(m[1])
			}
			s := runJSON[struct{ Total totals }](t, append([]string{"summary", "--format", "json", trace}, filter...)...)
			if want := s.Total.numbers()["open"]; opens != want {
				t.Errorf("%s %v: %d opens on the page, the summary %d", trace, filter, opens, want)
			}
		}
	}
}

// runJSON runs a command and decodes the JSON that it prints.
func runJSON[T any](t *testing.T, args ...string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(output(t, args...)), &v); err != nil {
		t.Fatalf("dtrec %s: %v", strings.Join(args, " "), err)
	}
	return v
}

type totals struct {
	Calls, Failed, Unfinished uint64
	Operations                []struct {
		Name  string
		Count uint64
	}
}

func (s *totals) numbers() numbers {
	n := numbers{"calls": s.Calls, "failed": s.Failed, "ended": s.Calls - s.Unfinished}
	for _, op := range s.Operations {
		n[op.Name] = op.Count
	}
	return n
}

func summaryNumbers(t *testing.T, trace string) numbers {
	s := runJSON[struct{ Total totals }](t, "summary", "--format", "json", trace)
	return s.Total.numbers()
}

func topNumbers(t *testing.T, trace string) numbers {
	type top struct {
		Total uint64
		Rows  []struct {
			Key    string
			Amount uint64
		}
	}
	ops := runJSON[top](t, "top", "--by", "op", "-n", "100", "--format", "json", trace)
	n := numbers{"calls": ops.Total, "failed": runJSON[top](t, "top", "--of", "failures", "--format", "json", trace).Total}
	for _, r := range ops.Rows {
		n[r.Key] = r.Amount
	}
	return n
}

func exportNumbers(t *testing.T, trace string) numbers {
	rows, err := csv.NewReader(strings.NewReader(output(t, "export", "--format", "csv", trace))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	n := numbers{"calls": uint64(len(rows) - 1)}
	column := make(map[string]int)
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, r := range rows[1:] {
		if n[r[column["operation"]]]++; r[column["errno"]] != "" {
			n["failed"]++
		}
	}
	return n
}

// showNumbers adds up the numbers that show prints for each process.
func showNumbers(t *testing.T, trace string) numbers {
	title := regexp.MustCompile(`(?m)^(\d+) path calls? (?:\((.*)\), )?(?:(\d+) failed)?`)
	n := numbers{}
	seen := make(map[string]bool)
	for _, task := range runJSON[struct{ Rows []struct{ Key string } }](t, "top", "--by", "task", "-n", "10000", "--format", "json", trace).Rows {
		pid, _, _ := strings.Cut(task.Key, " ")
		if seen[pid] {
			continue
		}
		seen[pid] = true
		m := title.FindStringSubmatch(output(t, "show", trace, pid))
		if m == nil {
			t.Errorf("%s: show %s says no path calls", trace, pid)
			continue
		}
		n["calls"] += number(m[1])
		for _, op := range strings.Split(m[2], ", ") {
			if name, count, ok := strings.Cut(op, " "); ok {
				n[name] += number(count)
			}
		}
	}
	return n
}

func infoNumbers(t *testing.T, trace string) numbers {
	n := numbers{}
	for _, p := range runJSON[struct{ Processes []totals }](t, "info", "--tasks", "--format", "json", trace).Processes {
		n["calls"] += p.Calls
		n["failed"] += p.Failed
	}
	return n
}

// replayNumbers counts the lines of returns of path calls: those that failed, and all.
func replayNumbers(t *testing.T, trace string) numbers {
	lines := func(args ...string) uint64 {
		out := []byte(output(t, append(append([]string{"replay", "--format", "json"}, args...), trace)...))
		return uint64(bytes.Count(out, []byte(`"type":"event"`)))
	}
	return numbers{"failed": lines("--failed"), "ended": lines("--class", "unknown,rcu,ref,miss")}
}

// pageNumbers takes calls and failures from the page's first sentence, and adds up the opens and execs of
// its sections on programs.
func pageNumbers(t *testing.T, trace string) numbers {
	page := output(t, "report", trace)
	m := regexp.MustCompile(`(?m)^(\d+) path calls?, (\d+) failed`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("%s: the page has no sentence of its calls", trace)
	}
	n := numbers{"calls": number(m[1]), "failed": number(m[2])}
	for _, m := range regexp.MustCompile(`(?m), opens: (\d+)(?:, and (\d+) of programs to execute)?`).FindAllStringSubmatch(page, -1) {
		if n["open"] += number(m[1]); m[2] != "" {
			n["exec"] += number(m[2])
		}
	}
	return n
}

func pageValueNumbers(t *testing.T, trace string) numbers {
	v := runJSON[struct {
		All     struct{ Calls uint64 }
		Summary struct{ Total totals }
	}](t, "report", "--format", "json", trace)
	n := v.Summary.Total.numbers()
	n["calls"] = v.All.Calls
	return n
}
