// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/cli"

	"github.com/dtrec/dtrec/report"
)

// onFilesystem returns the expected verdicts on a filesystem: those on ext4, with what differs there.
func onFilesystem(fs string) map[string]map[string]string {
	out := make(map[string]map[string]string)
	for _, table := range []map[string]map[string]string{workloadVerdicts, pathVerdicts, filesystemVerdicts[fs]} {
		for workload, kinds := range table {
			if out[workload] == nil {
				out[workload] = make(map[string]string)
			}
			maps.Copy(out[workload], kinds)
		}
	}
	return out
}

// compareVerdicts compares the verdicts of each workload in a recording on ext4 with the table, and the
// doubts with the known ones.
func compareVerdicts(t *testing.T, v report.Verdicts) {
	t.Helper()
	compareVerdictsOn(t, v, "ext4")
}

func compareVerdictsOn(t *testing.T, v report.Verdicts, fs string) {
	t.Helper()
	table := onFilesystem(fs)
	for _, p := range v.Programs {
		for _, k := range report.Kinds() {
			want := table[p.Program]
			if want == nil {
				continue
			}
			tally.verdicts.Add(1)
			if k.Kind == report.Start || k.Kind == report.Cached { // older recordings and some filesystems have more or fewer of them; each must be proven
				if n := p.Claims[k.Name]; n["refuted"]+n["unproven"] > 0 {
					t.Errorf("%s on %s: %s is %s", p.Program, fs, k.Name, spell(n))
				}
				continue
			}
			if !fits(p.Claims[k.Name], want[k.Name]) {
				t.Errorf("%s on %s: %s is %s, want %s", p.Program, fs, k.Name, spell(p.Claims[k.Name]), want[k.Name])
			}
		}
	}
	tally.verdicts.Add(int64(len(v.Doubts)))
	for _, d := range v.Doubts {
		for _, line := range doubtLines(d) {
			if !slices.ContainsFunc(workloadDoubts, func(w doubtful) bool { return w.line == line && w.on(fs) }) {
				t.Errorf("on %s: %s %v", fs, line, d.Events)
			}
		}
	}
}

// doubtLines returns a line for each subject of a doubt, without the event ids in its reason and with
// NAME for a very long name.
func doubtLines(d report.DoubtVerdict) (lines []string) {
	reason := regexp.MustCompile(`#[\d…]+`).ReplaceAllString(d.Reason, "#")
	for _, subject := range d.Subjects {
		lines = append(lines, fmt.Sprintf("%s %s of %s: %s", d.Verdict, d.Kind, regexp.MustCompile(`n{200,}`).ReplaceAllString(subject, "NAME"), reason))
	}
	return lines
}

// fits reports whether counts of verdicts are as wanted. Examples of want are "3 proven" and "1 proven
// 2 unproven"; "all proven" if the number differs between kernels; "some unproven" for those and proven
// ones; alternatives are separated by " or ".
func fits(counts map[string]uint64, want string) bool {
	for _, one := range strings.Split(want, " or ") {
		switch one {
		case "all proven":
			if len(counts) == 1 && counts["proven"] > 0 {
				return true
			}
		case "some unproven":
			if counts["proven"] > 0 && counts["unproven"] > 0 && counts["refuted"] == 0 {
				return true
			}
		case "", "-":
			if len(counts) == 0 {
				return true
			}
		default:
			if spell(counts) == one {
				return true
			}
		}
	}
	return false
}

// spell writes counts as "3 proven 1 unproven", and "-" for none.
func spell(counts map[string]uint64) string {
	var out []string
	for _, v := range []string{"proven", "refuted", "unproven"} {
		if counts[v] > 0 {
			out = append(out, fmt.Sprintf("%d %s", counts[v], v))
		}
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, " ")
}

// verdicts judges a trace, in which nothing may be refuted. The verdicts are of opens alone, since
// older recordings have no other walks.
func verdicts(t *testing.T, trace string) report.Verdicts {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if got := cli.Run([]string{"check", trace}, strings.NewReader(""), &stdout, &stderr); got != 0 {
		t.Fatalf("dtrec check: exit %d\n%s", got, stderr.String())
	}
	stdout.Reset()
	if got := cli.Run([]string{"check", "--format", "json", "--without", "walk,walk_parent", trace}, strings.NewReader(""), &stdout, &stderr); got != 0 {
		t.Fatalf("dtrec check: exit %d\n%s", got, stderr.String())
	}
	var v report.Verdicts
	if err := json.Unmarshal(stdout.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSamplesHaveTheVerdicts checks that the sample traces have the verdicts that every new recording
// must have.
func TestSamplesHaveTheVerdicts(t *testing.T) {
	for _, f := range samples(t) {
		t.Run(filepath.Base(f), func(t *testing.T) { compareVerdicts(t, verdicts(t, f)) })
	}
}
