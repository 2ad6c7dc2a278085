// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"github.com/klauspost/compress/zstd"
)

// runImport imports a log and returns the path of the trace and what import prints.
func runImport(t *testing.T, log string) (file, said string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "log.pb")
	var stdout, stderr bytes.Buffer
	if code := Run([]string{"import", "-o", file, "-"}, strings.NewReader(log), &stdout, &stderr); code != 0 || stdout.Len() > 0 {
		t.Fatalf("import: exit %d\n%s", code, stderr.String())
	}
	return file, stderr.String()
}

// TestReplayedLinesImportAgain checks that the lines replay prints of a trace can be imported, and that
// replay prints the same lines of the result: no value is lost or added.
func TestReplayedLinesImportAgain(t *testing.T) {
	files := append(samples(t), oddNames(t))
	for _, f := range files {
		lines := output(t, "replay", "--format", "dmesg", f)
		log, said := runImport(t, lines)
		if !strings.Contains(said, ", 0 lines not understood\n") || strings.Contains(said, "warning") {
			t.Errorf("%s: %s", f, said)
		}
		if again := output(t, "replay", "--format", "dmesg", log); again != lines || lines == "" {
			t.Errorf("%s: %d bytes of lines, imported and printed again %d:\n%s", f, len(lines), len(again), firstDifference(lines, again))
		}
	}
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return "-" + as[i] + "\n+" + bs[i]
		}
	}
	return "one ends earlier"
}

// oddNames writes a trace with names that are hard to put in a line.
func oddNames(t *testing.T) string {
	t.Helper()
	return traceOf(t, func(emit func(*schema.Event)) {
		k := tracetest.NewKernel(1, emit)
		k.Task(7, "odd")
		for _, name := range []string{"a b", "a | b", `back\slash`, `\x41`, "new\nline", "\x1b[31m", "caf\xe9", "café", `"quoted"`, " ", "name ", "(____ptrval____)", strings.Repeat("n", 255)} {
			k.Open(true, "dir", name)
			k.Open(false, "dir", "no "+name)
		}
	})
}

// TestNothingOfTwoLinesIsProvenFromALog checks that no claim that needs two lines is proven from a log,
// however good it looks. A hash with its salt is on one line and can be proven.
func TestNothingOfTwoLinesIsProvenFromALog(t *testing.T) {
	for _, f := range samples(t) {
		log, _ := runImport(t, output(t, "replay", "--format", "dmesg", f))
		sum := output(t, "check", log)
		if !strings.Contains(sum, "\n0 proven, 0 refuted, ") || !regexp.MustCompile(`unproven: prefix of .*/tmp/t_e.txt.*, 11 times`).MatchString(sum) {
			t.Errorf("%s:\n%s", f, sum)
		}
		page := output(t, "report", log)
		for _, word := range []string{"**proven**", "pid 0", "parent 0x0", "no dentry", "(negative)", "Linux"} {
			if strings.Contains(page, word) {
				t.Errorf("%s: the page has %q", f, word)
			}
		}
		calls := strconv.Itoa(strings.Count(output(t, "replay", "--format", "dmesg", f), "[O] IN: "))
		if same := output(t, "diff", log, log); !strings.Contains(same, "the same: "+calls+" calls of "+calls+" and "+calls) {
			t.Errorf("%s: %s, want %s calls", f, same, calls)
		}
	}
	salted := "full_name_hash return: %s length 7 salt 0xffff8f29481d6e40 name t_m.txt/rest\n"
	for hash, want := range map[string]string{"1429044786": "\n1 proven, 0 refuted, 0 unproven", "1429044787": "\n0 proven, 0 refuted, 1 unproven"} {
		log, _ := runImport(t, strings.Replace(salted, "%s", hash, 1))
		if sum := "\n" + output(t, "check", log); !strings.Contains(sum, want) {
			t.Errorf("hash %s:\n%s", hash, sum)
		}
	}
	// A name that is cut, or a salt that is hashed by %p, proves nothing.
	for _, line := range []string{
		"full_name_hash return: 1429044786 length 8 salt 0xffff8f29481d6e40 name t_m.txt\n",
		"full_name_hash return: 1429044786 length 7 salt 0x00000000481d6e40 name t_m.txt\n",
	} {
		log, _ := runImport(t, line)
		if sum := output(t, "check", log); strings.Contains(sum, "1 proven") {
			t.Errorf("%s%s", line, sum)
		}
	}
}

// TestTimeMayRunBackwardsInALog checks that a log whose lines are slightly out of order is judged like
// one in order.
func TestTimeMayRunBackwardsInALog(t *testing.T) {
	const lines = `[  100.000005] [O] IN: 0xffff8976c6763020 | /tmp/t_e.txt
[  100.000007] [A] SRC: 0xffff8976c6763025
[  100.00000%] [A] DST: 0xffff8976c0793c38
[  100.000009] __d_add entry: 0xffff8976c0793c38 | t_e.txt
[  100.000002] full_name_hash return: 1429044786 length 7 salt 0xffff8f29481d6e40 name t_m.txt
`
	want, _ := runImport(t, strings.Replace(lines, "%", "8", 1))
	got, _ := runImport(t, strings.Replace(lines, "%", "6", 1))
	sum := output(t, "check", want)
	if again := output(t, "check", got); again != sum || !strings.Contains(sum, "unproven: equality of /tmp/t_e.txt: ") || !strings.Contains(sum, "\n1 proven, ") {
		t.Errorf("in order:\n%sout of order:\n%s", sum, again)
	}
	if lines := output(t, "replay", "--format", "dmesg", got); !strings.Contains(lines, "100.000006] [A] DST") { // the time as printed in the log
		t.Error(lines)
	}
	if code, said := checkPageOf(t, output(t, "report", got), got); code != 0 {
		t.Errorf("its report: exit %d\n%s", code, said)
	}
}

// refusedImport runs import, which must refuse, and returns what it says.
func refusedImport(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := Run(append([]string{"import"}, args...), strings.NewReader(stdin), &stdout, &stderr); code != 2 || stdout.Len() > 0 {
		t.Errorf("%v: exit %d, %d bytes\n%s", args, code, stdout.Len(), stderr.String())
	}
	return stderr.String()
}

// TestOwnReportIsNotImported checks that import refuses a report by dtrec, as the trace behind it can
// be read instead.
func TestOwnReportIsNotImported(t *testing.T) {
	live := samples(t)[0]
	log, _ := runImport(t, output(t, "replay", "--format", "dmesg", live))
	for _, trace := range []string{live, log} {
		id := strings.Fields(strings.SplitAfter(output(t, "info", trace), "\nrun ")[1])[0]
		file := filepath.Join(t.TempDir(), "x.pb")
		said := refusedImport(t, output(t, "report", trace), "-o", file, "-")
		if want := "stdin is a report that dtrec wrote, of run " + id; !strings.Contains(said, want) || !strings.Contains(said, "remedy: ") {
			t.Errorf("%s\nwant %s", said, want)
		}
		if _, err := os.Stat(file); err == nil {
			t.Error("a trace was written")
		}
	}
}

// TestImportKeepsItsLog checks that the trace never overwrites its log, whatever names the two are
// given.
func TestImportKeepsItsLog(t *testing.T) {
	dir := t.TempDir()
	log, link, name := filepath.Join(dir, "log"), filepath.Join(dir, "link"), filepath.Join(dir, "name")
	const lines = "[A] SRC: 0xffff8976c6763025\n"
	if err := errors.Join(os.WriteFile(log, []byte(lines), 0o600), os.Symlink(log, link), os.Link(log, name)); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{log, link, name, filepath.Join(dir, ".", "log")} {
		if said := refusedImport(t, "", "-o", out, log); !strings.Contains(said, "overwrite") {
			t.Error(said)
		}
		if now, err := os.ReadFile(log); err != nil || string(now) != lines {
			t.Errorf("-o %s: the log is now %q %v", out, now, err)
		}
	}
	in, err := os.Open(log)
	out, err2 := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	var stderr bytes.Buffer
	if code := Run([]string{"import", "-o", "-", "-"}, in, out, &stderr); code != 2 || !strings.Contains(stderr.String(), "stdin: the trace would overwrite it") {
		t.Errorf("appended to itself: exit %d %s", code, stderr.String())
	}
	other := filepath.Join(dir, "other.pb") // text, not a trace: replaced because of --force
	for _, what := range []string{"old", "[A] DST: 0xffff8976c6763025\n"} {
		if err := os.WriteFile(other, []byte(what), 0o600); err != nil {
			t.Fatal(err)
		}
		output(t, "import", "--force", "-o", other, log)
		if lines := output(t, "replay", "--format", "dmesg", other); !strings.Contains(lines, "[A] SRC: 0xffff8976c6763025") {
			t.Error(lines)
		}
	}
}

// TestWhatIsSaidOfALine checks what check and report say about single lines of a log.
func TestWhatIsSaidOfALine(t *testing.T) {
	for name, c := range map[string]struct{ lines, check, report string }{
		"an open that failed": {"[O] IN: 0xffff8976c6763020 | /tmp/x\n[O] OUT: 0xfffffffffffffffe | x\n", "\n0 proven, ",
			"- do_filp_open return: −2 (ENOENT), no file (#2)\n"},
		"a name cut short": {"full_name_hash return: 1429044786 length 8 salt 0xffff8f29481d6e40 name t_m.txt\n",
			"unproven: hash of t_m.txt: the name could not be read whole (#1)\n", " length 8 name `t_m.txt` (cut), salt "},
		"another hash": {"full_name_hash return: 1429044787 length 7 salt 0xffff8f29481d6e40 name t_m.txt\n",
			"unproven: hash of t_m.txt: this kernel's name hash is not known (#1)\n", " length 7 name `t_m.txt`, salt "},
		"a long path": {"[O] IN: 0xffff8976c6763020 | /" + strings.Repeat("n", 100_000) + "\n", "\n0 proven, ",
			"n` (cut) (#1)\n"},
		"no name at all": {"[trace_alloc] Copy Dest: 0xffff8976c6763120\n[trace_open] Input: struct filename @ 0xffff897600000000 | name @ 0xffff8976c6763020\n" +
			"[trace_alloc] Copy Dest: 0xffff8976c6763120\n[trace_open] Result Name Ptr: 0xffff8976c6763120\n",
			"unproven: equality of 0xffff8976c6763120: ", "before the line of the first open:\n"},
		"no name but the last": {"[trace_open] Input Addr: 0xffff8976c6763020\n[trace_alloc] Copy Dest: 0xffff8976c6763120\n[trace_open] Result Addr: 0xffff8976c6763120 | Val: a b\n",
			"unproven: equality of a b: ", "from the line of an open without a name up to that of the next open:"},
		"a key of length 0": {"[O] IN: 0xffff8976c6763020 | /tmp/x\n__d_lookup entry: hash 769772012 length 0 name tmp/x\n__d_lookup entry: hash 7 length 2 name \n",
			"\n0 proven, ", "- __d_lookup entry: hash 769772012 length 0 name empty (#2)\n- __d_lookup entry: hash 7 length 2 name not printed (#3)\n"},
	} {
		log, _ := runImport(t, c.lines)
		if sum := output(t, "check", log); !strings.Contains("\n"+sum, c.check) || !strings.Contains(sum, " events, losses not known, Linux unknown\n") {
			t.Errorf("%s: check says\n%s", name, sum)
		}
		page := output(t, "report", log)
		if !strings.Contains(page, c.report) {
			t.Errorf("%s: the report is\n%.3000s", name, page)
		}
		if code, said := checkPageOf(t, page, log); code != 0 || !strings.Contains(said, ", 0 found elsewhere, 0 not in this run, 0 wrong, 0 not understood\n") {
			t.Errorf("%s: its report does not hold: exit %d\n%s", name, code, said)
		}
		lines := output(t, "replay", "--format", "dmesg", log)
		again, _ := runImport(t, lines)
		if twice := output(t, "replay", "--format", "dmesg", again); twice != lines {
			t.Errorf("%s: printed and imported again: %s", name, firstDifference(lines, twice))
		}
		if strings.Contains(c.lines, "0xfffffffffffffffe") && !strings.Contains(lines, "] [O] OUT: 0xfffffffffffffffe | x\n") {
			t.Errorf("%s: printed as\n%s", name, lines)
		}
	}
}

// TestInfoOfALog checks that info neither calls an imported trace complete nor counts what it lost, as
// a log does not tell.
func TestInfoOfALog(t *testing.T) {
	log, _ := runImport(t, "d_lookup return: NULL\n")
	info := output(t, "info", log)
	if !strings.Contains(info, ", made of a kernel log\n") || !regexp.MustCompile(`(?m)^lost +not known: a kernel log does not count them$`).MatchString(info) || strings.Contains(info, "complete") {
		t.Error(info)
	}
	if live := output(t, "info", samples(t)[0]); !strings.Contains(live, ", complete\n") || !regexp.MustCompile(`(?m)^lost +0$`).MatchString(live) {
		t.Error(live)
	}
}

// TestBinaryIsNotImported checks that import refuses a trace and compressed files, and says which they
// are.
func TestBinaryIsNotImported(t *testing.T) {
	log, _ := runImport(t, "d_lookup return: NULL\n")
	trace, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("d_lookup return: NULL\n")); errors.Join(err, w.Close()) != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x.pb")
	for in, want := range map[string]string{
		string(trace):                 "stdin is a trace already\n",
		string(trace) + string(trace): "stdin is a trace already\n",
		packed.String():               "'zstdcat FILE | dtrec import -'",
		"\x1f\x8b\x08":                "'zcat FILE | dtrec import -'",
	} {
		if said := refusedImport(t, in, "-o", file, "-"); !strings.Contains(said, want) || strings.Contains(said, "understood") {
			t.Errorf("%.4q: %s", in, said)
		}
	}
	for _, f := range samples(t) {
		if said := refusedImport(t, "", "-o", file, f); !strings.Contains(said, f+" is a trace already\n") {
			t.Error(said)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a trace was written")
	}
}
