// SPDX-License-Identifier: Apache-2.0

package main

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

// checkPageOf runs check on a page and a trace; it returns the exit code and what is printed.
func checkPageOf(t *testing.T, page, trace string) (int, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.txt") // recognised by what is in it
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := run([]string{"check", file, trace}, strings.NewReader(""), &stdout, &stderr)
	if stderr.Len() > 0 {
		t.Fatalf("check: exit %d\n%s", code, stderr.String())
	}
	return code, strings.ReplaceAll(stdout.String(), file, "page")
}

// The report of every sample holds against its trace, and against no other.
func TestReportsHoldAgainstTheirTraces(t *testing.T) {
	t.Parallel()
	files := samples(t)
	for i, f := range files {
		for _, args := range [][]string{{"report", f}, {"report", "--explain", "hash", f}} {
			page := output(t, args...)
			if code, said := checkPageOf(t, page, f); code != 0 || !strings.Contains(said, ", 0 found elsewhere, 0 not in this run, 0 wrong, 0 not understood\n") {
				t.Errorf("%v: exit %d\n%.2000s", args, code, said)
			}
		}
		if code, said := checkPageOf(t, output(t, "report", f), files[(i+1)%len(files)]); code != 1 || !strings.Contains(said, "not in this run: run ") {
			t.Errorf("%s against another trace: exit %d\n%.2000s", f, code, said)
		}
		log, _ := imported(t, output(t, "replay", "--format", "dmesg", f))
		if code, said := checkPageOf(t, output(t, "report", log), log); code != 0 {
			t.Errorf("the log of %s: exit %d\n%.2000s", f, code, said)
		}
	}
}

// One digit changed anywhere in a report is found, and its line is named.
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

// Without the comparison with its own report a page is still held: in a page that does
// not say what run it is of, one digit of an address, hash or difference is found. (An
// id may well be spoiled into that of an event that had the value too.)
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
		if strings.Contains(text, "= 5,") || strings.HasPrefix(text, "Learned") || strings.HasPrefix(text, "- Linux") {
			continue // a length that is no difference; a count; a version
		}
		if code, said := checkPageOf(t, spoiled, trace); code != 1 || !strings.Contains(said, fmt.Sprintf("page:%d:", line+1)) {
			t.Errorf("seed %d: exit %d for\n%s\nwhich was\n%s\n%.1000s", seed, code, text, strings.Split(page, "\n")[line], said)
		}
	}
}

// The seed's page against a trace made of its own bullets: the values of another run,
// the tree lines without an event, and the equalities of one term. What is listed here
// was found by reading, not by this program.
func TestSeedPage(t *testing.T) {
	seed := filepath.Join("..", "shared", "seed", "stage2-return.md")
	page, err := os.ReadFile(seed)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("the page is not beside the project: %v", err)
	}
	trace, _ := imported(t, string(page))
	code, said := checkPageOf(t, string(page), trace)
	if code != 1 || !strings.HasSuffix(said, "155 found, 9 found elsewhere, 28 not in this run, 4 wrong, 0 not understood\n") {
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
		`43:151: wrong: prefix 0xffff8976c6763025 − 0xffff8976c6763020 = 0x5 = 5: the path at 0xffff8976c6763020 is "test_file`, // so "/tmp/" is not before it
		`78:30: found elsewhere: address 0xffff8977eb463eb8: outside the open that the tree is of: d_lookup return`,             // after the open: unlink's
		`106:14: found elsewhere: event d_lookup return NULL: no such event in the open`,
		`111:36: found elsewhere: address 0xffff8976c35ee0f8: outside the open`, // the creat before
		`148:14: found elsewhere: event d_lookup return NULL: no such event in the open`,
		`172:24: wrong: equality 0xffff89775bf497b8: at one place only`,
		`181:30: found elsewhere: address 0xffff89775bf497b8: it is __d_alloc return`,
		`205:24: wrong: equality 0xffff8977185b54b8: at one place only`,
		`210:14: found elsewhere: event d_lookup return NULL`,
		`214:30: found elsewhere: address 0xffff8977185b54b8: it is __d_alloc return`,
		`280:77: found elsewhere: address 0xffff8976c6763020`,
	} {
		if !strings.Contains(said, "\npage:"+line) {
			t.Errorf("not said: %s", line)
		}
	}
}

// Reports of odd names, of many events, and of runs that lack some hold as well.
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

// hostileNames is a trace of names that look like what a page says.
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

// A tree that cites nothing is held against the open at its root: all its lines are
// found in it, and one put in from another open is not.
func TestTreesWithoutIdsAreHeldAgainstTheirOpen(t *testing.T) {
	trace := filepath.Join("traces", "run1.pb")
	ids := regexp.MustCompile(`(?m) #\d+(–#\d+)?$`)
	nameLikeID := regexp.MustCompile(`(?m) #\d+ #\d+$`)
	var page strings.Builder
	trees := 0
	for _, block := range strings.Split(output(t, "report", trace), "```\n") {
		// Without ids two things cannot be told: a path from one with more dots or slashes in one buffer, and the name of an O_TMPFILE file from an id.
		odd := strings.HasPrefix(block, "dots / ") || strings.HasPrefix(block, ".. / ") || nameLikeID.MatchString(block)
		if strings.Contains(block, "\n└─ do_filp_open entry 0x") && !odd {
			trees++
			page.WriteString("```\n" + ids.ReplaceAllString(block, "") + "```\n\n")
		}
	}
	if code, said := checkPageOf(t, page.String(), trace); code != 0 || trees < 30 {
		t.Fatalf("%d trees: exit %d\n%.2000s", trees, code, said)
	}
	// The first tree is of an open that made its dentry; a hit is none of it.
	hit := regexp.MustCompile(`__d_lookup_rcu entry \(.*\) l_e\.txt → D\d+ (0x[0-9a-f]+)`).FindStringSubmatch(page.String())
	if hit == nil {
		t.Fatal("no hit of l_e.txt")
	}
	line := "   ├─ __d_lookup_rcu return " + hit[1] + "\n"
	spoiled := strings.Replace(page.String(), "   ├─ ", line+"   ├─ ", 1)
	if code, said := checkPageOf(t, spoiled, trace); code != 1 || !strings.Contains(said, "page:4:33: found elsewhere: address "+hit[1]+": outside the open that the tree is of: ") {
		t.Errorf("exit %d\n%.2000s", code, said)
	}
}
