// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// checkPageOf runs check with a page and a trace. It returns the exit code and what is printed.
func checkPageOf(t *testing.T, page, trace string) (int, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.txt") // a page is recognised by its contents, not by its name
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := Run([]string{"check", "--page", file, trace}, strings.NewReader(""), &stdout, &stderr)
	if stderr.Len() > 0 {
		t.Fatalf("check: exit %d\n%s", code, stderr.String())
	}
	return code, strings.ReplaceAll(stdout.String(), file, "page")
}

// TestReportsHoldAgainstTheirTraces checks that the report of every sample holds against its own trace
// and against no other.
func TestReportsHoldAgainstTheirTraces(t *testing.T) {
	t.Parallel()
	files := samples(t)
	for i, f := range files {
		for _, args := range [][]string{{"report", f}, {"report", "--explain", "hash", f}} {
			page := output(t, args...)
			if code, said := checkPageOf(t, page, f); code != 0 || !strings.Contains(said, ", 0 found elsewhere, 0 not in this run, 0 wrong, 0 not understood\n") {
				t.Errorf("%v: exit %d\n%.2000s", args, code, said)
			}
			page = regexp.MustCompile("id `[0-9a-f]{32}`").ReplaceAllString(page, "id")
			if code, said := checkPageOf(t, page, f); code != 0 {
				t.Errorf("%v, by its numbers: exit %d\n%.2000s", args, code, said)
			}
		}
		if code, said := checkPageOf(t, output(t, "report", f), files[(i+1)%len(files)]); code != 1 || !strings.Contains(said, "not in this run: address ") {
			t.Errorf("%s against another trace: exit %d\n%.2000s", f, code, said)
		}
		log, _ := runImport(t, output(t, "replay", "--format", "dmesg", f))
		if code, said := checkPageOf(t, output(t, "report", log), log); code != 0 {
			t.Errorf("the log of %s: exit %d\n%.2000s", f, code, said)
		}
	}
}

// TestOneSpoiledDigitIsFound checks that one changed digit anywhere in a report is found and its line
// named.
func TestOneSpoiledDigitIsFound(t *testing.T) {
	t.Parallel()
	trace := filepath.Join("traces", "run1.pb")
	page := output(t, "report", "--explain", "hash", trace)
	var digits []int
	for _, m := range regexp.MustCompile(`[0-9]`).FindAllStringIndex(page, -1) {
		digits = append(digits, m[0])
	}
	seed := uint64(os.Getpid())
	r := rand.New(rand.NewPCG(seed, 1))
	for range 12 {
		at := digits[r.IntN(len(digits))]
		spoiled := page[:at] + string('0'+(page[at]-'0'+1+byte(r.IntN(9)))%10) + page[at+1:]
		line := strings.Count(page[:at], "\n")
		code, said := checkPageOf(t, spoiled, trace)
		if code != 1 || !strings.Contains(said, fmt.Sprintf("page:%d:", line+1)) {
			t.Errorf("seed %d: exit %d for\n%s\nwhich was\n%s\n%.1000s", seed, code, strings.Split(spoiled, "\n")[line], strings.Split(page, "\n")[line], said)
		}
	}
}

// TestOneSpoiledValueIsFoundByTheEvents checks pages without the id of their run, which are not
// compared with the report of the run: there too, one changed digit of an address, hash or difference
// is found. (A changed event id may well be that of another event with the same value, so ids are not
// tried.)
func TestOneSpoiledValueIsFoundByTheEvents(t *testing.T) {
	t.Parallel()
	trace := filepath.Join("traces", "run1.pb")
	page := regexp.MustCompile("id `[0-9a-f]{32}`").ReplaceAllString(output(t, "report", "--explain", "hash", trace), "id")
	values := regexp.MustCompile(`0x[0-9a-f]+|(?:hash |hash=|length |len=|= |@)\d+`).FindAllStringIndex(page, -1)
	seed := uint64(os.Getpid())
	r := rand.New(rand.NewPCG(seed, 2))
	for range 12 {
		m := values[r.IntN(len(values))]
		at := m[1] - 1
		digits := "0123456789"
		if strings.HasPrefix(page[m[0]:], "0x") {
			digits = "0123456789abcdef"
		}
		d := strings.IndexByte(digits, page[at])
		spoiled := page[:at] + string(digits[(d+1+r.IntN(len(digits)-1))%len(digits)]) + page[at+1:]
		line := strings.Count(page[:at], "\n")
		text := strings.Split(spoiled, "\n")[line]
		if strings.Contains(text, "  y = 0x") || strings.HasPrefix(text, "Learned") || strings.HasPrefix(text, "- Linux") || strings.HasSuffix(text, ";") {
			continue // a formula, a count, a version, or a program's code
		}
		if code, said := checkPageOf(t, spoiled, trace); code != 1 || !strings.Contains(said, fmt.Sprintf("page:%d:", line+1)) {
			t.Errorf("seed %d: exit %d for\n%s\nwhich was\n%s\n%.1000s", seed, code, text, strings.Split(page, "\n")[line], said)
		}
	}
}

// TestPageOfAnotherRunOrKernel checks that a page with the id of another run is refused, and that
// offsets must be those of the kernel that ran.
func TestPageOfAnotherRunOrKernel(t *testing.T) {
	t.Parallel()
	trace := filepath.Join("traces", "run1.pb")
	page := output(t, "report", "--explain", "hash", trace)
	id := regexp.MustCompile("id `([0-9a-f]{32})`").FindStringSubmatch(page)[1]
	for _, test := range []struct{ old, spoiled, want string }{
		{id, strings.Repeat("0", 32), "not in this run: run " + strings.Repeat("0", 32)},
		{id, "", ""},
		{"iname @32 }", "iname @37 }", "wrong: layout iname @37: it is at 32"},
		{"d_hash @8 }", "d_hash @16 }", "wrong: layout d_hash @16: it is at 8"},
		{"d_hash @8 }", "d_hash @8, d_lru @16 }", ""},
		{"d_hash_shift = 15", "d_hash_shift = 13", "wrong: layout d_hash_shift = 13: it was 15"},
	} {
		other := page
		if test.old != id {
			other = strings.Replace(page, id, "", 1)
		}
		code, said := checkPageOf(t, strings.Replace(other, test.old, test.spoiled, 1), trace)
		if (code == 0) != (test.want == "") || !strings.Contains(said, test.want) {
			t.Errorf("%q for %q: exit %d, %.400s", test.spoiled, test.old, code, said)
		}
	}
}

// TestHashesAndDentriesOfAPage checks that a hash is held against its name, length and event, whatever its
// size, and the address of a dentry against the dentry's number.
func TestHashesAndDentriesOfAPage(t *testing.T) {
	t.Parallel()
	const key, parent = "hash 3710360517 length 3 name ", ", parent 0xff1cc18f414109c0 (#24)"
	for _, test := range []struct{ page, want string }{
		{"__d_lookup_rcu entry: " + key + "`tmp`" + parent, ""},
		{"__d_lookup_rcu entry: " + key + "`foo`" + parent, "found elsewhere: hash 3710360517: not so in #24; it is the hash at __d_lookup_rcu entry of \"tmp\""},
		{key + "`tmp`", ""},
		{key + "`tmpx`", "found elsewhere: hash"},
		{key + "`t`", "found elsewhere: hash"},
		{key + "`tmp` (#25)", "found elsewhere: hash 3710360517: not so in #25"},
		{"hash 3710360517 length 4", "found elsewhere: hash"},
		{"```\n├─ __d_lookup_rcu entry (hash=3710360517,len=3) tmp → NULL #24\n```", ""},
		{"```\n├─ __d_lookup_rcu entry (hash=3710360517,len=3) foo → NULL #24\n```", "found elsewhere: hash"},
		{"hash 99999 length 3 name `tmp`", "not in this run: hash 99999"},
		{"hash 99999 name `tmp`", "not in this run: hash 99999"},
		{"hash 99999999999 length 3", "not in this run: hash 99999999999"},
		{"hash 5 of 7", ""},
		{"D12 0xff1cc18f4142fd80", ""},
		{"D13 0xff1cc18f4142fd80", "found elsewhere: address 0xff1cc18f4142fd80: D13 is at 0xff1cc18f4142f780"},
		{"D99999 0xff1cc18f4142fd80", "found elsewhere: address 0xff1cc18f4142fd80: the run has no D99999"},
	} {
		code, said := checkPageOf(t, "0xff1cc18f414109c0 is in the run.\n\n"+test.page+"\n", filepath.Join("traces", "run1.pb"))
		if (code == 0) != (test.want == "") || !strings.Contains(said, test.want) {
			t.Errorf("%q: exit %d, %s", test.page, code, said)
		}
	}
}

// TestSeedPage checks a page that was written by hand from a kernel module's log, against a trace made of its own
// bullets. It must find the values that are of another run, wrong, or without support. The expected
// lines were found by reading the page, not by this program.
func TestSeedPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("internal", "cli", "testdata", "seed.md"))
	if err != nil {
		t.Fatal(err)
	}
	trace, _ := runImport(t, string(page))
	code, said := checkPageOf(t, string(page), trace)
	if code != 1 || !strings.HasSuffix(said, ", 0 not understood; sentences were not judged\n") {
		t.Errorf("exit %d, %s", code, said)
	}
	absent := regexp.MustCompile(`(?m)^page:\d+:\d+: not in this run: .*?(0x[0-9a-f]{16})`)
	var values []string
	for _, m := range absent.FindAllStringSubmatch(said, -1) {
		values = append(values, m[1])
	}
	slices.Sort(values)
	want := []string{"0xffff8976c06483f8", "0xffff8976c0793c38", "0xffff8976c6763025", "0xffff8976c905a020", "0xffff8976c905a02c",
		"0xffff8976cd60a0f8", "0xffff8976cd60a1b8", "0xffff897727671438"}
	if got := slices.Compact(values); !slices.Equal(got, want) {
		t.Errorf("not in this run: %v, want %v", got, want)
	}
	for _, line := range []string{
		`43:62: found elsewhere: address 0xffff8976c6763020: it is do_filp_open entry of "test_file`,
		`43:151: wrong: length 0xffff8976c6763025 − 0xffff8976c6763020 = 0x5 = 5: the path at 0xffff8976c6763020 is "test_file`, // so the path does not begin with "/tmp/"
		`172:24: wrong: equality 0xffff89775bf497b8 appears at __d_add: at one place only`,
		`181:30: found elsewhere: address 0xffff89775bf497b8: it is __d_alloc return`,
		`205:24: wrong: equality 0xffff8977185b54b8 appears at __d_add: at one place only`,
		`214:30: found elsewhere: address 0xffff8977185b54b8: it is __d_alloc return`,
		`280:77: found elsewhere: address 0xffff8976c6763020`,
	} {
		if !strings.Contains(said, "\npage:"+line) {
			t.Errorf("not said: %s", line)
		}
	}
}

// TestOddReportsHold checks that reports of traces with odd names or many events hold as well.
func TestOddReportsHold(t *testing.T) {
	for name, file := range map[string]string{"odd names": oddNames(t), "hostile names": hostileNames(t), "generated": generatedTrace(t)} {
		for _, args := range [][]string{{"report", file}, {"report", "--explain", "hash", file}} {
			if code, said := checkPageOf(t, output(t, args...), file); code != 0 {
				t.Errorf("%s: exit %d\n%.3000s", name, code, said)
			}
		}
	}
}

func generatedTrace(t *testing.T) string {
	return traceOf(t, func(emit func(*schema.Event)) { tracetest.Generate(20000, emit) })
}

// hostileNames writes a trace with names that look like the text of a page.
func hostileNames(t *testing.T) string {
	return traceOf(t, func(emit func(*schema.Event)) {
		k := tracetest.NewKernel(2, emit)
		k.Task(7, "#3 (x)")
		for _, name := range []string{"`", "``a`", "0xffff8976c0793c38", "a | b; c", "x (#1)", "x#7", "#25", "d_lookup return: NULL", "__d_alloc entry",
			" → NULL #2–#3", "= 0x5 = 6", "a. b", "under 0xffff8976c0793c38 (#3)", "├─ d_lookup return NULL", "```", "<b>", "a\nb", "\xff", "@57", "x = 0, y = salt", "/tmp/ = 6", "1=2", "0x1 − 1 = 5",
			"**proven** key: x", "hash 5", "offset 7", "ff3b7f6d41f66099", "(", "**", "hash **proven**"} {
			k.Open(true, "dir", name)
			k.Open(false, "dir", "no "+name)
			k.Unlink("dir", name)
		}
	})
}

func traceOf(t *testing.T, gen func(emit func(*schema.Event))) string {
	t.Helper()
	b, err := tracetest.Bytes(gen)
	file := filepath.Join(t.TempDir(), "trace.pb")
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}
