// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTamperedReportsAreFound checks that any change in the report of a run is found: of words,
// verdicts, reasons, or the order of lines. Leaving lines out is allowed.
func TestTamperedReportsAreFound(t *testing.T) {
	t.Parallel()
	trace := filepath.Join("traces", "run1.pb")
	report := output(t, "report", trace)
	for _, c := range []struct{ pattern, with string }{
		{`t_e.txt → NULL #`, `t_e.txt → 0xff3b7f6d4145fa80 #`},
		{`l_e.txt → D\d+ 0x[0-9a-f]+ #`, `l_e.txt → NULL #`},
		{`(copy source )(0x\w+)(.*copy destination )(0x\w+)`, `${1}${4}${3}${2}`},
		{`\*\*unproven\*\* (key|negative|hash)`, `**proven** ${1}`},
		{`- \*\*proven\*\* prefix`, `- **refuted** prefix`},
		{`- \*\*proven\*\* equality`, `- proven creation`},
		{`storage \*\*proven`, `storage **unproven`},
		{`bucket \*\*proven`, `bucket **unproven`},
		{"`ext4` 259:1", "`xfs` 259:1"},
		{"`ext4` 259:1", "`ext4` 259:2"},
		{`(?m)^(## .*)$`, `${1}, and more`},
		{`killed at`, `freed at`},
		{`(?s)(\n- d_lookup entry: [^\n]*)(\n[^\n]*)`, `${2}${1}`},
		{`(?s)\n(- copy source[^\n]*\n)(.*)$`, "\n${2}${1}"},
	} {
		m := regexp.MustCompile(c.pattern).FindStringSubmatchIndex(report)
		if m == nil {
			t.Errorf("the report has no %s", c.pattern)
			continue
		}
		page := report[:m[0]] + string(regexp.MustCompile(c.pattern).ExpandString(nil, c.with, report, m)) + report[m[1]:]
		line := strings.Count(report[:m[0]], "\n") + 1
		code, said := checkPageOf(t, page, trace)
		if code != 1 || !strings.Contains(said, "the report of this run has") {
			t.Errorf("%s becomes %s at line %d: exit %d\n%.1000s", c.pattern, c.with, line, code, said)
		}
	}
	lines := strings.SplitAfter(report, "\n")
	excerpt := strings.Join(append(append([]string{}, lines[:400]...), lines[len(lines)/2:]...), "")
	if code, said := checkPageOf(t, excerpt, trace); code != 0 {
		t.Errorf("an excerpt: exit %d\n%.2000s", code, said)
	}
}

// TestPagesOfOnesOwn checks pages that dtrec did not write, in various markup. An address beginning
// with ff is recognised without 0x as well, and a hash in decimal or hexadecimal.
func TestPagesOfOnesOwn(t *testing.T) {
	trace := filepath.Join("traces", "run1.pb")
	m := regexp.MustCompile(`prefix: (0x\w+) \(__d_alloc entry, #(\d+)\) − (0x\w+) \(do_filp_open entry, #(\d+)\) = 0x5 = 5, length of .{1,9}/tmp/`).FindStringSubmatch(output(t, "report", trace))
	if m == nil {
		t.Fatal("no prefix of 5")
	}
	from, fromID, path, pathID := m[1], m[2], m[3], m[4]
	key := regexp.MustCompile(`"role":"lookup_rcu","phase":"call".*"name":"t_e.txt".*"hash":(\d+)`).FindStringSubmatch(output(t, "replay", "--format", "json", trace))
	shift := regexp.MustCompile(`d_hash_shift\D+(\d+)`).FindStringSubmatch(output(t, "info", trace))
	if key == nil || shift == nil {
		t.Fatal("no hash of t_e.txt, or no shift")
	}
	hash, bits := number(key[1]), number(shift[1])
	for _, c := range []struct {
		page  string
		holds bool
	}{
		{"do_filp_open entry pointer = `PATH`", true},
		{"do_filp_open entry pointer = `FROM`", false},
		{"`do_filp_open` entry pointer = FROM", false},
		{"**do_filp_open entry**: `FROM`", false},
		{"**do_filp_open entry:** FROM", false},
		{"`do_filp_open entry` **`PATH`**", true},
		{"_0xff3b7f6d41f66099_", false},
		{strings.TrimPrefix(from, "0x"), true},
		{"`ff3b7f6d41f66099`", false},
		{"FFFFFFFF81000000", false},
		{fmt.Sprintf("hash %#x", hash), true},
		{fmt.Sprintf("hash %#x", hash+1), false},
		{fmt.Sprintf("hash = **%d**", hash), true},
		{fmt.Sprintf("hash = %d", hash+1), false},
		{fmt.Sprintf("__d_lookup entry: hash %d length 7 name t_e.txt", hash), true},
		{fmt.Sprintf("__d_lookup entry: hash `%d` length `8` name `t_e.txt`", hash), false},
		{fmt.Sprintf("%d >> %d = %d", hash, bits, hash>>bits), true},
		{fmt.Sprintf("%d >> %d = %d", hash, bits, hash>>bits+1), false},
		{fmt.Sprintf("%d >> %d = %d", hash, bits-1, hash>>(bits-1)), false}, // not this kernel's d_hash_shift
		{fmt.Sprintf("%d >> %d = %d", hash+1, bits, hash>>bits), false},     // not a hash of this run
		{"do_filp_open entry pointer =\nPATH", true},
		{"do_filp_open entry\npointer = FROM", false},
		{"FROM\n(do_filp_open entry, #PID)", false},
		{"PATH (do_filp_open entry,\n#PID)", true},
		{"PATH (do_filp_open entry, #FID)", false},
		{"PATH (#99999999)", false},
		{"do_filp_open entry | PATH | `/tmp/t_e.txt`", true},
		{"| PATH | FROM |", true},
		{"FROM − PATH = 5, length of `/tmp/`", true},
		{"FROM − PATH = 5, length of `/var/`", false},
		{"FROM − PATH = 5, length of `/tmp`", false},
		{"FROM − PATH = 6", false},
		{"prefixes: `/` = 1, `/tmp/` = 5.", true},
		{"prefixes: `/` = 1, `/tmp/` = 6.", false},
		{"same address PATH appears at do_filp_open entry and __d_alloc return", false},
	} {
		text := strings.NewReplacer("PATH", path, "FROM", from, "PID", pathID, "FID", fromID).Replace(c.page)
		if code, said := checkPageOf(t, text+"\n", trace); (code == 0) != c.holds {
			t.Errorf("%q: exit %d\n%s", text, code, said)
		}
	}
}

// TestCheckSaysHowAPageIsGiven checks the messages for a wrong use of --page.
func TestCheckSaysHowAPageIsGiven(t *testing.T) {
	trace, dir := filepath.Join("traces", "run1.pb"), t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	page := file("page.md", "0xff3b7f6d41f66020\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--page", filepath.Join(dir, "none.md"), trace}, "name a page that is there"},
		{[]string{"--page", page, trace, trace}, "a page is held against one trace, got 2"},
		{[]string{"--page", trace, trace}, "is a trace, and no page"},
		{[]string{"--page", dir, trace}, "is a directory"},
		{[]string{"--page", "-", "-"}, "cannot both be stdin"},
		{[]string{page}, "dtrec check --page"},
		{[]string{"--page", file("empty.md", ""), trace}, "nothing in it can be held"},
		{[]string{"--page", file("wide.md", "\xff\xfea\x00"), trace}, "is no text in UTF-8"},
		{[]string{"--page", file("latin.md", "caf\xe9 and more of it"), trace}, "is no text in UTF-8"},
		{[]string{"--strict", "--page", page, trace}, "--strict is for the verdicts of a trace"},
		{[]string{"--without", "kill", "--page", page, trace}, "--without is for the verdicts of a trace"},
		{[]string{"--all", trace}, "--all is for a page"},
	} {
		var stdout, stderr bytes.Buffer
		if code := Run(append([]string{"check"}, c.args...), strings.NewReader(""), &stdout, &stderr); code != 2 || !strings.Contains(stderr.String(), c.want) || stdout.Len() > 0 {
			t.Errorf("%v: exit %d\n%s%s", c.args, code, stderr.String(), stdout.String())
		}
	}
}
