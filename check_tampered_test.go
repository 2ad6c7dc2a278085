// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What was changed in a report is found, also where the page does not say which run it
// is of, so that it is not compared with the report of the run line by line.
func TestTamperedReportsAreFound(t *testing.T) {
	t.Parallel()
	trace := filepath.Join("traces", "run1.pb")
	report := regexp.MustCompile("id `[0-9a-f]{32}`").ReplaceAllString(output(t, "report", trace), "id")
	if code, said := checkPageOf(t, report, trace); code != 0 {
		t.Fatalf("untouched: exit %d\n%.2000s", code, said)
	}
	for _, c := range []struct{ pattern, with, want string }{
		{`t_e.txt → NULL #26–#27`, `t_e.txt → 0xff3b7f6d4145fa80 #26–#27`, "not in #27; it is the parent at"},
		{`l_e.txt → D\d+ 0x[0-9a-f]+ #`, `l_e.txt → NULL #`, "that event returned something"},
		{`(copy source )(0x\w+)(.*copy destination )(0x\w+)`, `${1}${4}${3}${2}`, "found elsewhere: address"},
		{`- \*\*unproven\*\* key: `, `- **proven** key: `, "in this run it is unproven"},
		{`- \*\*unproven\*\* (key:.*?) — .*`, `- **proven** ${1}`, "in this run it is unproven"},
		{`- \*\*proven\*\* prefix`, `- **refuted** prefix`, "in this run it is proven"},
		{`- \*\*proven\*\* equality`, `- proven creation`, "no such claim is in the report of this run"},
		{`\*\*unproven\*\* key of`, `**proven** key of`, "in this run it is unproven"},
		{`\*\*unproven\*\* key of .*`, `**proven** race of ` + "`/tmp/t_e.txt`", "no such claim is in the report of this run"},
		{`a symbolic link was followed\n`, "it was not looked at\n", "no such claim"},
		{`— a symbolic link was followed`, "— it was not looked at", "in this run the reason is another"},
		{`, hash \*\*proven\*\*`, `, hash **refuted**`, "in this run it is proven"},
		{`, hash \*\*unproven\*\* \(.*\)\n`, ", hash **proven**\n", "in this run it is unproven"},
		{`storage \*\*proven`, `storage **unproven`, "in this run it is proven"},
		{`bucket \*\*proven`, `bucket **unproven`, "in this run it is proven"},
		{`open 2 of this program, ` + "`/tmp/t_e.txt`", `open 2 of this program, ` + "`/tmp/t_m.txt`", "lists no such open"},
		{`(?m)^(In te_miss|The component.*)length of ` + "`/tmp/`", `${1}length of ` + "`/tmq/`", "the path at 0xff3b7f6d41f66020 is"},
		{"`ext4` 259:1", "`xfs` 259:1", "that event is on ext4 259:1"},
		{"`ext4` 259:1", "`ext4` 259:2", "that event is on ext4 259:1"},
	} {
		m := regexp.MustCompile(c.pattern).FindStringSubmatchIndex(report)
		if m == nil {
			t.Errorf("the report has no %s", c.pattern)
			continue
		}
		page := report[:m[0]] + string(regexp.MustCompile(c.pattern).ExpandString(nil, c.with, report, m)) + report[m[1]:]
		if code, said := checkPageOf(t, page, trace); code != 1 || !strings.Contains(said, c.want) {
			t.Errorf("%s becomes %s: exit %d\n%.1000s", c.pattern, c.with, code, said)
		}
	}
}

// What a page of one's own says is held, in whatever markup. An address of 0xff… is
// found without 0x, too, and a hash in either base.
func TestPagesOfOnesOwn(t *testing.T) {
	const from, path = "0xff3b7f6d41f66025", "0xff3b7f6d41f66020" // of the copy, of the path
	for _, c := range []struct {
		page  string
		holds bool
	}{
		{"do_filp_open entry pointer = `" + path + "`", true},
		{"do_filp_open entry pointer = `" + from + "`", false},
		{"`do_filp_open` entry pointer = " + from, false},
		{"**do_filp_open entry**: `" + from + "`", false},
		{"**do_filp_open entry:** " + from, false},
		{"`do_filp_open entry` **`" + path + "`**", true},
		{"`do_filp_open entry` **`" + from + "`**", false},
		{"_0xff3b7f6d41f66099_", false},
		{"ff3b7f6d41f66025", true},
		{"`ff3b7f6d41f66099`", false},
		{"FFFFFFFF81000000", false},
		{"hash 0x167a5c1a", true},
		{"hash 0x167a5c1b", false},
		{"hash `0x167A5C1A`", true},
		{"hash = 377117723", false},
		{"hash is **377117722**", true},
		{"__d_lookup entry: hash 0x167a5c1a length 7 name t_e.txt", true},
		{"__d_lookup entry: hash `0x167a5c1b` length `7` name `t_e.txt`", false},
		{"377117722 >> 15 = 11508", true},
		{"377117722 >> 15 = 11509", false},
		{"377117722 >> 14 = 23017", false}, // d_hash_shift is 15
		{"377117723 >> 15 = 11508", false}, // no hash of this run
		{"do_filp_open entry pointer =\n" + path, true},
		{"do_filp_open entry pointer =\n" + from, false},
		{"do_filp_open entry\npointer = " + from, false},
		{from + "\n(do_filp_open entry, #23)", false},
		{path + " (do_filp_open entry,\n#23)", true},
		{"| do_filp_open entry | " + path + " | /tmp/t_e.txt |", true},
		{"| do_filp_open entry | " + path + " | `/tmp/t_m.txt` |", false},
		{"| do_filp_open entry | " + path + " | the path |", true},
		{"| `do_filp_open entry` | `" + from + "` |", false},
		{"| " + from + " | " + path + " |", true},
		{"| name | do_filp_open entry | __d_alloc entry |\n|---|---|---|\n| x | " + path + " | " + from + " |", true},
		{"| name | do_filp_open entry | __d_alloc entry |\n|---|---|---|\n| x | " + from + " | " + path + " |", false},
		{"| " + path + " | __d_alloc entry |", false},
		{"do_filp_open entry pointer = " + path + " | `/tmp/t_e.txt` (#23)\n\nSo the basename offset is 5.", true},
		{"do_filp_open entry pointer = " + path + " | `/tmp/t_e.txt` (#23)\n\nSo the basename offset is 6.", false},
		{"basename offset of `/tmp/t_e.txt` = 6", false},
		{"- do_filp_open entry pointer = " + path + " | `/tmp/t_e.txt`\n- __d_alloc return pointer = 0xff3b7f6d415c7278", true},
		{"- do_filp_open entry pointer = " + path + " | `/tmp/t_e.txt`\n- __d_alloc return pointer = 0xff3b7f6d414717f0", false}, // of another program
		{"- __d_alloc return pointer = 0xff3b7f6d414717f0", true},
		{"```\n/ tmp / t_e.txt\n└─ do_filp_open entry " + path + "\n   ├─ copy source " + from + "\n   └─ copy destination 0xff3b7f6d415c7278\n```", true},
		{"```\n/ tmp / t_e.txt\n└─ do_filp_open entry " + path + "\n   ├─ copy destination 0xff3b7f6d415c7278\n   └─ copy source " + from + "\n```", false},
		{"d_iname offset 56", true},
		{"offset of `d_iname`: 57", false},
		{"it is at offset 0x39", false},
	} {
		if code, said := checkPageOf(t, c.page+"\n", filepath.Join("traces", "run1.pb")); (code == 0) != c.holds {
			t.Errorf("%q: exit %d\n%s", c.page, code, said)
		}
	}
}

// How a page and a trace are given, and what is refused with a page, is said.
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
		{[]string{filepath.Join(dir, "none.md"), trace}, "name a page that is there"},
		{[]string{page, trace, trace}, "first the page, then the trace"},
		{[]string{trace, page}, "first the page, then the trace"},
		{[]string{page, page}, "first the page, then the trace"},
		{[]string{file("empty.md", ""), trace}, "is empty"},
		{[]string{file("wide.md", "\xff\xfea\x00"), trace}, "a page is UTF-8"},
		{[]string{file("latin.md", "caf\xe9 and more of it"), trace}, "is no text in UTF-8"},
		{[]string{"--strict", page, trace}, "--strict is for the verdicts of a trace"},
		{[]string{"--without", "kill", page, trace}, "--without is for the verdicts of a trace"},
		{[]string{"--all", trace}, "--all is for a page"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(append([]string{"check"}, c.args...), strings.NewReader(""), &stdout, &stderr); code != 2 || !strings.Contains(stderr.String(), c.want) || stdout.Len() > 0 {
			t.Errorf("%v: exit %d\n%s%s", c.args, code, stderr.String(), stdout.String())
		}
	}
}
