// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dtrec/dtrec/schema/tracetest"
)

// Bounds that no input may make a command exceed.
const (
	maxMemory  = 256 << 10        // peak resident memory, KiB
	maxTime    = 60 * time.Second // CPU time
	maxElapsed = 4 * maxTime      // elapsed time, as the machine may be busy
)

// attackCommands returns command lines that read a trace in every way that keeps something of it.
func attackCommands(file, page string) [][]string {
	return [][]string{
		{"info", "--format", "json", file},
		{"check", "--without", "insert", file},
		{"check", "--page", page, file},
		{"report", "--explain", "hash", file},
		{"replay", "--format", "json", file},
		{"diff", file, file},
		{"summary", file},
		{"top", "--of", "negatives", "--by", "path", file},
		{"show", file, "a"},
		{"report", "--format", "html", file},
		{"report", "--brief", file},
		{"report", "--format", "json", file},
	}
}

// TestNoFileTakesAllMemory runs the commands, each in a process of its own, on files made to cost them
// memory or time, and checks that both stay within bounds.
func TestNoFileTakesAllMemory(t *testing.T) {
	n, all := 20_000, os.Getenv("DTREC_ALL_TOOLS") != ""
	if all {
		n = 150_000
	}
	dir := t.TempDir()
	dtrec := filepath.Join(dir, "dtrec")
	if out, err := exec.Command("go", "build", "-o", dtrec, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	page := filepath.Join(dir, "page.md")
	if err := os.WriteFile(page, []byte(output(t, "report", "traces/run1.pb")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, attack := range tracetest.Attacks(n) {
		file := filepath.Join(dir, name+".pb")
		if err := os.WriteFile(file, attack(), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, args := range attackCommands(file, page) {
				if !all && i%2 == 0 {
					continue // make test sets DTREC_ALL_TOOLS, which runs all of them
				}
				peakOf(t, append([]string{dtrec}, args...))
			}
		})
	}
}

// TestNoTextTakesAllMemory does the same for the commands that read text.
func TestNoTextTakesAllMemory(t *testing.T) {
	dir := t.TempDir()
	dtrec := filepath.Join(dir, "dtrec")
	if out, err := exec.Command("go", "build", "-o", dtrec, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, text := range map[string]string{
		"brackets":            strings.Repeat("[", 1<<20),
		"quotes":              strings.Repeat(">", 1<<20),
		"stars":               strings.Repeat("*a_ ", 1<<19),
		"backticks":           strings.Repeat("`", 1<<20) + "0xffff888012345678",
		"addresses":           strings.Repeat("0xffff888012345678 (#1) = ", 1<<17),
		"tree":                strings.Repeat("- 0x1\n", maxLines),
		"table":               strings.Repeat("|", 1<<20),
		"lines":               strings.Repeat("\n", 3<<20),
		"too large":           strings.Repeat("x", 80<<20),
		"log":                 strings.Repeat("[    7.349072] [O] IN: 0xff3b7f6d7dc4c020 | /tmp/t_m.txt\n", 1<<20),
		"long line":           "[O] IN: 0xff3b7f6d7dc4c020 | /" + strings.Repeat("x", 50<<20),
		"symbols":             logOfSymbols(300_000),
		"stars-in-lines":      strings.Repeat(strings.Repeat("*a_ ", 1<<12)+"\n", 60),
		"brackets-in-lines":   strings.Repeat(strings.Repeat("[", 1<<12)+"\n", 400),
		"ticks-in-lines":      strings.Repeat(strings.Repeat("`x``y```z", 1<<11)+"\n", 150),
		"lists-in-lists":      strings.Repeat("- ", 1<<13) + "x\n",
		"under-in-lines":      strings.Repeat(strings.Repeat("_a _", 1<<12)+"\n", 200),
		"items":               strings.Repeat("- x\n", 1<<20),
		"paragraphs-of-marks": strings.Repeat(strings.Repeat("*a_ ", 1<<12)+"\n\n", 250),
		"parens":              strings.Repeat("(", 1<<20) + "0x1 - 0x2",
		"words":               strings.Repeat(strings.Repeat("a,", 1<<13)+"\n", 31),
		"too many words":      strings.Repeat(strings.Repeat("a,", 1<<13)+"\n", 256),
		"operations":          "(0x1" + strings.Repeat(" - 0x1", 1<<18) + " = 0x5)",
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".md")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peakOf(t, []string{dtrec, "check", "--page", file, "traces/run1.pb"})
			peakOf(t, []string{dtrec, "import", "-o", file + ".pb", file})
		})
	}
}

// logOfSymbols returns a log in which each line names another function.
func logOfSymbols(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[    7.%06d] f%d entry: 0xffff888012345678 | x\n", i, i)
	}
	return b.String()
}

// peakOf runs a command, whatever its exit code, and checks its memory, time and output against the
// bounds.
func peakOf(t *testing.T, args []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(self, append([]string{measureArg}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	took, errs, _ := bytes.Cut(out, []byte("\n"))
	var peak, wrote int
	var cpu time.Duration
	if _, err := fmt.Sscan(string(took), &peak, &wrote, (*int64)(&cpu)); err != nil {
		t.Fatal(err)
	}
	if args[1] == "report" {
		most := mostPage
		switch {
		case slices.Contains(args, "--brief"):
			most = mostBrief
		case slices.Contains(args, "html"):
			most = 2 << 20
		case slices.Contains(args, "json"):
			most = 64 << 20 // not compressed
		}
		if wrote > most {
			t.Errorf("%v writes %d bytes", args[1:], wrote)
		}
	}
	t.Logf("%d MiB, %s: %v", peak>>10, cpu.Round(10*time.Millisecond), args[1:])
	if said := string(errs); peak > maxMemory || strings.Contains(said, "goroutine") || strings.Contains(said, "killed") {
		t.Errorf("%v: %d KiB at most; %.500s", args[1:], peak, said)
	}
}

// measureArg makes the test binary run a command and print its peak memory in KiB, the number of bytes
// it wrote to stdout, its CPU time in nanoseconds, and then its stderr. This process stands in between
// because a new process starts with the peak of its parent.
const measureArg = "measure-a-command"

func init() {
	if len(os.Args) > 1 && os.Args[1] == measureArg {
		os.Exit(measure(os.Args[2:]))
	}
}

func measure(args []string) int {
	cmd := exec.Command(args[0], args[1:]...)
	var errs bytes.Buffer
	var wrote counter
	cmd.Stdout, cmd.Stderr = &wrote, &errs
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	late := time.AfterFunc(maxElapsed, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	late.Stop()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && !exit.Exited() {
		fmt.Fprintf(&errs, "killed after %s", maxElapsed)
	}
	took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if took > maxTime {
		fmt.Fprintf(&errs, "killed too late: it took %s", took)
	}
	fmt.Printf("%d %d %d\n%s", cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss, wrote, took, errs.Bytes())
	return 0
}

// counter counts the bytes written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
