// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestWrongUseIsTwoLines checks that every wrong use prints two lines on stderr, cause and remedy,
// nothing on stdout, and exits with code 2.
func TestWrongUseIsTwoLines(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("D", dir)
	whole, err := os.ReadFile("traces/run1.pb")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("hello\n"), "header-cut.pb": whole[:100], "page.md": []byte("0xffff888012345678 (#1)\n"), "nothing.md": []byte("words\n"),
		"gzip": []byte("\x1f\x8b\x08\x00"), "utf16.md": []byte("\xff\xfeh\x00"), "binary.md": {0, 1, 2, 3},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lines := `
		|nosuch|inof|--loud|-x|help nosuch|help info nosuch|--version=2
		info|info a -|info --loud T|info --format yaml T|info --format= T|info --run 0 T|info --run -1 T|info --run x T|info --run 99999999999999999999 T|info --run 2 T|info --run T
		info $D/none|info $D|info $D/empty|info $D/text|info $D/header-cut.pb|info $D/gzip|info $D/none/x|info $D/text/x|info traces/run1.pb/|info - -|info --format JSON T
		check|check $D/none|check $D|check $D/text|check T T|check - -|check --format yaml T|check --without nosuch T|check --without= T|check --without insert,, T|check --run 0 T
		check --all T|check --page $D/none T|check --page $D T|check --page= T|check --page T T|check --page $D/nothing.md T|check --page $D/utf16.md T|check --page $D/binary.md T
		check --page $D/page.md|check --page $D/page.md T traces/linux-6.1.pb|check --page $D/page.md $D/none|check --page - -|check --page $D/page.md --strict T|check --page $D/page.md --without insert T
		report|report T T|report $D/none|report $D|report $D/text|report --explain nosuch T|report --explain= T|report --run 0 T|report --run 3 T|report --without x T|report --format xml T
		replay|replay T T|replay $D/none|replay $D|replay --format yaml T|replay --color blue T|replay --color= T|replay --role nosuch T|replay --role= T|replay --role open, T|replay --pid -1 T|replay --pid x T
		replay --pid 99999999999 T|replay --pid= T|replay --from noon T|replay --from= T|replay --to -1 T|replay --from 1.2.3 T|replay --from 1.0123456789 T|replay --to + T|replay --run 0 T|replay --run -3 T
		diff|diff T|diff T T T|diff - -|diff $D/none T|diff T $D/none|diff $D T|diff T $D/text|diff --format yaml T T|diff --format= T T|diff --latency=-3 T T|diff --latency=0 T T|diff --latency=x T T
		diff --latency=NaN T T|diff --latency=Inf T T|diff --run-a 0 T T|diff --run-b -1 T T|diff --run-a 2 T T|diff --run-b x T T
		import|import a b|import $D/none|import $D|import $D/empty|import $D/text|import T|import --format yaml $D/text|import --format= $D/text|import -o= $D/text|import $D/gzip`
	if runtime.GOOS == "linux" {
		lines += `
		vm|vm -- info T|vm --kernel= -- info T|vm --kernel $D/none -- info T|vm --kernel $D/text -- info T|vm --kernel $D -- info T|vm --kernel T|vm info T|vm --kernel $D/text --file $D/none -- info x
		vm --kernel $D/text --file= -- info x|vm --kernel $D/text --file :x -- info x|vm --kernel $D/text --smp 0 -- info x|vm --kernel $D/text --smp -1 -- info x|vm --kernel $D/text --smp x -- info x
		vm --kernel $D/text --timeout 0s -- info x|vm --kernel $D/text --timeout -1s -- info x|vm --kernel $D/text --timeout soon -- info x|vm --kernel $D/text --mem 0 -- info x|vm --kernel $D/text --mem -1G -- info x
		vm --kernel $D/text --mem lots -- info x|vm --kernel $D/text --fs nosuch -- info x|vm --kernel $D/text --fs= -- info x|vm --kernel $D/text -- nosuch|vm --kernel $D/text -- info --loud x|vm --kernel $D/text -- replay --run 0 x
		workload nosuch|workload a b|workload --source nosuch`
	}
	n := 0
	for _, line := range strings.FieldsFunc(lines, func(r rune) bool { return r == '|' || r == '\n' }) {
		var args []string
		for _, a := range strings.Fields(line) {
			if a == "T" {
				a = "traces/run1.pb"
			}
			args = append(args, os.ExpandEnv(a))
		}
		var out, errs bytes.Buffer
		code := Run(args, strings.NewReader(""), &out, &errs)
		said := strings.Split(strings.TrimSuffix(errs.String(), "\n"), "\n")
		if code != exitTrouble || out.Len() > 0 || len(said) != 2 || !strings.HasPrefix(said[0], "dtrec: ") || len(said[0]) < 12 || !strings.HasPrefix(said[1], "  remedy: ") || len(said[1]) < 14 {
			t.Errorf("dtrec %s: exit %d, stdout %.80q, stderr:\n%s", strings.Join(args, " "), code, out.String(), errs.String())
		}
		n++
	}
	if n < 100 {
		t.Errorf("%d calls, too few", n)
	}
}

// TestACutTraceIsNoSuccess checks that check --strict fails for a cut or damaged trace, and that the
// table of several traces marks it.
func TestACutTraceIsNoSuccess(t *testing.T) {
	whole, err := os.ReadFile("traces/run1.pb")
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole)
	for i := range 64 {
		damaged[len(whole)/2+i] ^= 0xff
	}
	for name, b := range map[string][]byte{"cut": whole[:len(whole)*3/4], "damaged": damaged, "its index damaged": whole[:len(whole)-100]} {
		name = name[strings.LastIndex(name, " ")+1:]
		file := filepath.Join(t.TempDir(), name+".pb")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, stdin := range []bool{false, true} {
			arg, in := file, ""
			if stdin {
				arg, in = "-", string(b)
			}
			var out, errs bytes.Buffer
			if code := Run([]string{"check", "--strict", arg}, strings.NewReader(in), &out, &errs); code != exitNegative || !strings.Contains(errs.String(), name) {
				t.Errorf("%s: check --strict: exit %d, %s", name, code, errs.String())
			}
			out.Reset()
			if code := Run([]string{"check", "traces/linux-6.1.pb", arg}, strings.NewReader(in), &out, &errs); code != 0 || !strings.Contains(out.String(), ", "+name) {
				t.Errorf("%s: the table: exit %d, %s", name, code, out.String())
			}
		}
	}
}

// TestHelpEndsWithTheExitStatus checks that every help explains the exit status once, at its end.
func TestHelpEndsWithTheExitStatus(t *testing.T) {
	for _, cmd := range newRootCmd(nil).Commands() {
		if cmd.Hidden || !cmd.Runnable() || cmd.Name() == "completion" {
			continue
		}
		if before, last, ok := strings.Cut(cmd.Long, "Exit status: "); !ok || strings.Contains(last, "\n\n") || strings.Contains(last, "Exit status") || !strings.HasSuffix(before, "\n\n") {
			t.Errorf("%s: %s", cmd.Name(), cmd.Long)
		}
	}
}
