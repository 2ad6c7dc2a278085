// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

func TestMain(m *testing.M) {
	testscript.Main(fromRoot{m}, map[string]func(){
		"dtrec":      func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"maketrace":  makeTrace,
		"makescene":  makeScene,
		"makekernel": makeKernel,
	})
}

// fromRoot runs the tests in the root directory of the tree, so that they name files as users do.
type fromRoot struct{ m *testing.M }

func (f fromRoot) Run() int {
	if err := os.Chdir(filepath.Join("..", "..")); err != nil {
		panic(err)
	}
	return f.m.Run()
}

// TestScripts runs dtrec as its users do. The first lines of each script say what it shows.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "internal/cli/testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               caseTraces,
		UpdateScripts:       os.Getenv("DTREC_UPDATE") != "",
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"twolines": twoLines},
	})
}

// caseTraces sets $CASES to the directory of the recordings that came from bug reports by strangers.
func caseTraces(env *testscript.Env) error {
	dir, err := filepath.Abs(filepath.Join("test", "cases"))
	env.Setenv("CASES", dir)
	return err
}

// twoLines checks that the stderr of the last command is two lines, cause and remedy, and that each
// matches its pattern.
func twoLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: twolines CAUSE REMEDY")
	}
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile("stderr"), "\n"), "\n")
	if len(lines) != 2 {
		ts.Fatalf("stderr has %d lines, want 2:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for i, prefix := range []string{"dtrec: ", "  remedy: "} {
		rest, ok := strings.CutPrefix(lines[i], prefix)
		if !ok || !regexp.MustCompile(args[i]).MatchString(rest) {
			ts.Fatalf("line %d is %q, want %q and a match for %q", i+1, lines[i], prefix, args[i])
		}
	}
}

// TestExitCodes checks that commands exit with the codes that their help promises.
func TestExitCodes(t *testing.T) {
	text := filepath.Join(t.TempDir(), "hello.txt")
	if err := os.WriteFile(text, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sample := filepath.Join("traces", "run1.pb")
	for _, c := range []struct {
		want int
		args []string
	}{
		{0, []string{"--version"}},
		{0, []string{"info", sample}},
		{0, []string{"replay", "--role", "evict", sample}},
		{2, nil},
		{2, []string{"frobnicate"}},
		{2, []string{"info"}},
		{2, []string{"info", "--loud", sample}},
		{2, []string{"info", "--format", "yaml", sample}},
		{2, []string{"info", text}},
		{2, []string{"info", text + ".pb"}},
		{2, []string{"info", filepath.Dir(text)}},
		{2, []string{"info", "--run", "2", sample}},
		{2, []string{"replay", "--to", "noon", sample}},
	} {
		var out, errs bytes.Buffer
		if got := Run(c.args, strings.NewReader(""), &out, &errs); got != c.want {
			t.Errorf("dtrec %s: exit %d, want %d; %s", strings.Join(c.args, " "), got, c.want, errs.String())
		}
		if c.want == 2 && (out.Len() > 0 || strings.Count(errs.String(), "\n") != 2) {
			t.Errorf("dtrec %s: stdout %q, stderr %q", strings.Join(c.args, " "), out.String(), errs.String())
		}
	}
}

// TestHelpOfEveryCommand checks that every command documents its exit status and shows an example.
func TestHelpOfEveryCommand(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.Hidden || cmd.IsAdditionalHelpTopicCommand() {
			return
		}
		var out, errs bytes.Buffer
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		if code := Run(args, nil, &out, &errs); code != 0 || errs.Len() > 0 {
			t.Errorf("%s: exit %d, stderr %q", strings.Join(args, " "), code, errs.String())
		}
		for _, part := range []string{"Exit status:", "Examples:\n  "} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s: help has no %q", cmd.CommandPath(), part)
			}
		}
	}
	walk(newRootCmd(nil))
}

// TestClosedPipe checks that a negative answer keeps its exit code if the reader of the output closes
// the pipe, and that a full disk is an error.
func TestClosedPipe(t *testing.T) {
	page := filepath.Join(t.TempDir(), "stage2.md")
	if err := os.WriteFile(page, []byte(output(t, "report", "traces/run1.pb")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want int
	}{
		{[]string{"check", "traces/run1.pb"}, 0},
		{[]string{"check", "--strict", "traces/run1.pb"}, exitNegative},
		{[]string{"diff", "traces/run1.pb", "traces/linux-7.3.pb"}, exitNegative},
		{[]string{"diff", "traces/run1.pb", "traces/run1.pb"}, 0},
		{[]string{"report", "traces/run1.pb"}, 0},
		{[]string{"--help"}, 0},
		{[]string{"help", "topics"}, 0},
		{[]string{"check", "--page", page, "traces/run1.pb"}, 0},
		{[]string{"check", "--page", page, "traces/linux-6.1.pb"}, exitNegative},
	} {
		var stderr strings.Builder
		if code := Run(tt.args, strings.NewReader(""), brokenWriter{syscall.EPIPE}, &stderr); code != tt.want || stderr.Len() > 0 {
			t.Errorf("%v: exit %d, want %d; %s", tt.args, code, tt.want, stderr.String())
		}
		if code := Run(tt.args, strings.NewReader(""), brokenWriter{syscall.ENOSPC}, &stderr); code != exitTrouble || !strings.Contains(stderr.String(), "remedy: free") {
			t.Errorf("%v, no space: exit %d; %s", tt.args, code, stderr.String())
		}
	}
}

// brokenWriter fails at every write.
type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }
