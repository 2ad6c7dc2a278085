// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"dtrec":     main,
		"maketrace": makeTrace,
	})
}

// TestScripts runs dtrec as its users do. A script says in its first lines what it
// shows.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("DTREC_UPDATE") != "",
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"twolines": twoLines},
	})
}

// twoLines checks that the last command's stderr is an error as dtrec prints it:
// two lines, the cause matching the pattern and the remedy.
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

// Every command says how it exits and shows an example.
func TestHelpOfEveryCommand(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.Hidden {
			return
		}
		var out, errs bytes.Buffer
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		if code := run(args, nil, &out, &errs); code != 0 || errs.Len() > 0 {
			t.Errorf("%s: exit %d, stderr %q", strings.Join(args, " "), code, errs.String())
		}
		for _, part := range []string{"Exit status:", "Examples:\n  "} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s: help has no %q", cmd.CommandPath(), part)
			}
		}
	}
	walk(newRootCmd())
}
