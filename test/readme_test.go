// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/cli"
	"github.com/dtrec/dtrec/internal/golden"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// TestReadmeExamplesAreTrue runs every "$ dtrec …" in a console block of the README, docs/bisect.md and
// docs/questions.md, and compares the output with the lines below it; a line of "…" stands for any
// number of lines. With DTREC_UPDATE=1 an output without "…" is written anew.
func TestReadmeExamplesAreTrue(t *testing.T) {
	for _, page := range []string{"README.md", "docs/bisect.md", "docs/questions.md"} {
		runExamples(t, page)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(readme, []byte("\n")); lines > 150 {
		t.Errorf("README.md has %d lines, at most 150 are wanted", lines)
	}
}

func runExamples(t *testing.T, page string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, block := range strings.Split(string(text), "```console\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for _, shown := range strings.Split("\n"+block, "\n$ ")[1:] {
			line, want, _ := strings.Cut(shown, "\n")
			args := strings.Fields(strings.ReplaceAll(line, "'", "")) // a # is quoted for the shell
			if args[0] != "dtrec" {
				continue
			}
			ran++
			args, toFile := redirected(args[1:])
			got := example(t, args)
			switch {
			case toFile:
			case golden.Update() && !strings.Contains(want, "…"):
				text = bytes.Replace(text, []byte("$ "+shown), []byte("$ "+line+"\n"+strings.TrimRight(got, "\n")+trailing(want)), 1)
				if err := os.WriteFile(page, text, 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				matchLines(t, line, got, want)
			}
		}
	}
	if ran == 0 {
		t.Errorf("%s has no example that was run", page)
	}
}

// example runs dtrec and returns its stdout. A diff exits with 1 if it says that the runs differ.
func example(t *testing.T, args []string) string {
	if args[0] != "diff" {
		return output(t, args...)
	}
	var stdout, stderr bytes.Buffer
	if code := cli.Run(args, strings.NewReader(""), &stdout, &stderr); code != 0 && code != 1 || (code == 0) != strings.HasPrefix(stdout.String(), "the same: ") {
		t.Fatalf("dtrec %s: exit %d\n%s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.String()
}

// trailing returns the newlines that a block ends with.
func trailing(s string) string { return s[len(strings.TrimRight(s, "\n")):] }

// redirected removes "> FILE" from a command line, and reports whether it was there.
func redirected(args []string) ([]string, bool) {
	for i, a := range args {
		if a == ">" {
			return args[:i], true
		}
	}
	return args, false
}

// matchLines compares the printed lines with the wanted ones.
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

// TestReadmeExcerptIsReal checks that the excerpt at the top of the README is what the report of the
// sample says about the last open of te_miss. DTREC_UPDATE=1 writes it anew.
func TestReadmeExcerptIsReal(t *testing.T) {
	want := excerptOf(t, output(t, "report", filepath.Join("traces", "run1.pb")))
	golden.Block(t, "README.md", `(<!-- from traces/run1.pb -->\n)(.*?)(<!-- end -->)`, want)
}

// TestReadmeClaimsAreMeasured checks that the table of claims in the README is that of the code, and
// that its numbers are the claims that fall in the sample without a role. DTREC_UPDATE=1 writes it
// anew.
func TestReadmeClaimsAreMeasured(t *testing.T) {
	golden.Block(t, "README.md", `()(\| claim \| says \|.*?)(\n\n)`, ablationTable(t, filepath.Join("traces", "run1.pb")))
}

// TestDocumentedReasonsAreThoseOfTheCode checks that the reasons in docs/claims.md are those of the
// code. DTREC_UPDATE=1 writes them anew.
func TestDocumentedReasonsAreThoseOfTheCode(t *testing.T) {
	want := "| verdict | reason | claims |\n|---|---|---|\n"
	of := make(map[*report.Reason][]string)
	var reasons []*report.Reason
	for _, k := range report.Kinds() {
		for _, r := range k.Reasons {
			if of[r] == nil {
				reasons = append(reasons, r)
			}
			of[r] = append(of[r], k.Name)
		}
	}
	slices.SortStableFunc(reasons, func(a, b *report.Reason) int { return cmp.Compare(a.Verdict, b.Verdict) })
	for _, r := range reasons {
		kinds := strings.Join(of[r], ", ")
		if len(of[r]) == len(report.Kinds()) {
			kinds = "all"
		}
		want += fmt.Sprintf("| %s | %s | %s |\n", r.Verdict, strings.ReplaceAll(r.Text, "%s", "…"), kinds)
	}
	golden.Block(t, "docs/claims.md", `(## Every reason\n\n)(.*)()`, want)
}

// ablationTable returns a table with a row for each kind of claim, and a column for each role without
// which some claims fall: how many of the trace's proven claims.
func ablationTable(t *testing.T, trace string) string {
	all := report.Kinds()
	head, rule := "| claim | says | proven |", "|---|---|--:|"
	rows := make([]string, len(all))
	whole := verdictsWithout(t, trace, "")
	for i, k := range all {
		rows[i] = fmt.Sprintf("| %s | %s | %d |", k.Name, k.Says, provenOf(whole, k.Name))
	}
	for _, info := range schema.Catalogue() {
		if info.Role != schema.RoleOpen && (info.Op != "" || info.Role.Is(schema.TraitWalks)) { // without such a role only its own calls fall, as with open
			continue
		}
		part := verdictsWithout(t, trace, info.Name)
		if part.Proven == whole.Proven {
			continue
		}
		head, rule = head+" "+info.Name+" |", rule+"--:|"
		for i, k := range all {
			a, b := provenOf(whole, k.Name), provenOf(part, k.Name)
			switch {
			case a == b:
				rows[i] += " |"
			case b == 0:
				rows[i] += " all |"
			default:
				rows[i] += fmt.Sprintf(" %d |", a-b)
			}
		}
	}
	return head + "\n" + rule + "\n" + strings.Join(rows, "\n")
}

func verdictsWithout(t *testing.T, trace, role string) report.Verdicts {
	t.Helper()
	args := []string{"check", "--format", "json", trace}
	if role != "" {
		args = append(args, "--without", role)
	}
	var v report.Verdicts
	if err := json.Unmarshal([]byte(output(t, args...)), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// provenOf returns how many claims of a kind are proven, over all programs.
func provenOf(v report.Verdicts, kind string) uint64 {
	return v.Programs[len(v.Programs)-1].Claims[kind]["proven"]
}

// excerptOf returns the part of a report about the last open of te_miss: the claims about the copied
// name, the dentry and its eviction, and the tree.
func excerptOf(t *testing.T, page string) string {
	_, section, _ := strings.Cut(page, "### te_miss.c\n")
	section, _, _ = strings.Cut(section, "\nLearned: ")
	_, last, found := strings.Cut(section, "<summary>open 3 of this program")
	if !found {
		t.Fatal("the report has no third open of te_miss")
	}
	var out strings.Builder
	for _, line := range strings.SplitAfter(last, "\n") {
		if strings.HasPrefix(line, "- **proven** prefix: ") && strings.Contains(line, "__d_alloc") ||
			strings.HasPrefix(line, "- **proven** equality: ") || strings.HasPrefix(line, "- **proven** eviction: ") {
			out.WriteString(line)
		}
	}
	_, tree, _ := strings.Cut(last, "```\n")
	tree, _, _ = strings.Cut(tree, "```\n")
	return out.String() + "```\n" + tree + "```\n"
}
