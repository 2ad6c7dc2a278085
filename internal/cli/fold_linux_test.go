// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// runOnTerminal returns the lines that a command prints on a terminal of that width.
func runOnTerminal(t *testing.T, columns uint16, args ...string) []string {
	t.Helper()
	tty, said := terminal(t)
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns}); err != nil {
		t.Skip(err)
	}
	if code := Run(args, strings.NewReader(""), tty, os.Stderr); code > 1 && args[0] != "doctor" {
		t.Errorf("%v: exit %d", args, code)
	}
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(said(), "\r\n", "\n"), "\n"), "\n")
}

// TestTablesFitTheTerminal checks that tables are never wider than the terminal and still contain all
// their words.
func TestTablesFitTheTerminal(t *testing.T) {
	git, runs := "test/git.pb", []string{"traces/run1.pb", "traces/linux-5.10.pb", "test/cases/utf.pb"}
	for _, args := range [][]string{
		{"summary", git}, {"info", git}, {"info", "--tasks", git}, {"top", "--by", "path", "-n", "50", git}, {"show", git, "D12"},
		{"show", git, "/tmp/repo/.git/config"}, {"check", git}, append([]string{"check"}, runs...), append([]string{"info"}, runs...), {"doctor"},
	} {
		args = append(args, "--no-pager")
		whole := runOnTerminal(t, 1000, args...)
		for _, columns := range []uint16{72, 80, 120} {
			narrow := runOnTerminal(t, columns, args...)
			for _, line := range narrow {
				if n := columnsIn([]byte(line)); n > int(columns) {
					t.Errorf("%v: %d columns in %d: %q", args, n, columns, line)
				}
			}
			plain := func(lines []string) string { return strings.Join(strings.Fields(strings.Join(lines, "")), "") }
			if plain(narrow) != plain(whole) {
				t.Errorf("%v: other words in %d columns", args, columns)
			}
		}
		if wide := runOnTerminal(t, 72, append(args, "--wide")...); strings.Join(wide, "\n") != strings.Join(whole, "\n") {
			t.Errorf("%v: --wide is folded", args)
		}
	}
}
