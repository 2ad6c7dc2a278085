// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// No open is left out because of the task that made it or what its path looks like: each one is counted,
// judged and on the page.
func TestEveryOpenIsCounted(t *testing.T) {
	for _, c := range []struct{ trace, program, counted, line string }{
		{"sofirst.pb", "sofirst", "opens: 3, failed: 2; ended: exit code 0.", "open 1 of this program, <code>/tmp/plugins/myplugin.so</code>: "},
		{"sofirst.pb", "dtrec", "opens: 1, failed: 0.", "open 1 of this program, <code>/scn</code>, to execute: "},
		{"exec.pb", "ex", "failed: ", "of this program, <code>/lib/ld-musl-x86&#95;64.so.1</code>, to execute: "},
		{"exec.pb", "dash", "failed: ", "open 1 of this program, <code>/etc/ld.so.cache</code>: "},
	} {
		f, entered := caseFindings(t, c.trace)
		var opens, absent, failed uint64
		for _, p := range f.Programs {
			opens, failed = opens+p.Opens, failed+p.Failed
			absent += p.Tally[Absence][Proven] + p.Tally[Absence][Unproven]
		}
		if opens != entered {
			t.Errorf("%s: %d opens are counted, of %d", c.trace, opens, entered)
		}
		if absent < failed {
			t.Errorf("%s: %d opens failed, and %d claims of absence are made", c.trace, failed, absent)
		}
		var page bytes.Buffer
		if err := Markdown(&page, f, PageOptions{}); err != nil {
			t.Fatal(err)
		}
		_, section, _ := strings.Cut(page.String(), "\n### "+c.program+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		if !strings.Contains(section, c.counted) || !strings.Contains(section, c.line) {
			t.Errorf("%s: the section of %s has no %q or no %q", c.trace, c.program, c.counted, c.line)
		}
	}
}

// One of the slowest calls of the session is a mkdir. It is on the page with its events and claims.
func TestASlowCallIsShown(t *testing.T) {
	m := inMemory(t, "../test/git.pb")
	page, _ := m.read(t, 0)
	all := strings.Join(page, "\n")
	_, shown, ok := strings.Cut(all, "<details><summary>mkdir #9502, <code>src</code>: returned 0; slowest</summary>")
	shown, _, _ = strings.Cut(shown, "</details>")
	if !ok || !strings.Contains(shown, "- do_mkdirat return: 0 (#") || !strings.Contains(shown, "- **proven** key: ") {
		t.Errorf("a slow call of the session is shown as %q", shown)
	}
}

// caseFindings judges a trace of ../test/cases; entered is the number of opens in it.
func caseFindings(t *testing.T, name string) (*Findings, uint64) {
	t.Helper()
	r, entered := tracetest.Open(t, "../test/cases/"+name), uint64(0)
	f, err := Judge(r, Options{Follow: func(m *Moment) {
		if e, ok := m.Record.(*schema.Event); ok && e.Role == schema.RoleOpen && e.Phase == schema.Enter {
			entered++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return f, entered
}
