// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/vm"
	"github.com/dtrec/dtrec/report"
)

// TestKernelFilesystems records the same workloads on a filesystem in memory and on one layered on
// another. The kernel works differently there, and so the verdicts differ.
func TestKernelFilesystems(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		for _, fs := range []string{"tmpfs", "overlay"} {
			t.Run(fs, func(t *testing.T) {
				o := recorded(t, release, fs)
				if told := strings.Contains(o.Stderr, "/tmp is in memory"); told != (fs == "tmpfs") {
					t.Errorf("it says that /tmp is in memory: %v\n%s", told, o.Stderr)
				}
				v := verdicts(t, o.trace)
				checkNothingLost(t, v, o.trace)
				compareAll(t, v, fs)
				checkPage(t, o.trace)
			})
		}
	})
}

const raceTries = 10 // how often the race is recorded at most, until it happens

// TestKernelRace has two threads open one name at once. The claims must hold whether or not both
// allocate a dentry, and both must do so in at least one recording.
func TestKernelRace(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		raced := uint64(0)
		trace := recorded(t, release, "race").trace
		for i := 0; i < raceTries && raced == 0 && !t.Failed(); i++ {
			if i > 0 {
				trace = raceAgain(t, release)
			}
			v := verdicts(t, trace)
			if v.Lost > 0 && v.Refuted == 0 { // if a program is preempted, hits are missed, and counted
				t.Logf("try %d: %d lost", i+1, v.Lost)
				continue
			}
			n := compareRace(t, v)
			checkPage(t, trace)
			t.Logf("try %d: %d races", i+1, n)
			raced += n
		}
		if raced == 0 {
			t.Errorf("not one race in %d recordings", raceTries)
		}
	})
}

// raceAgain records the race once more, and returns the trace.
func raceAgain(t *testing.T, release string) string {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "race.pb")
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	kernel := kernelFiles()[slices.IndexFunc(kernelFiles(), func(file string) bool {
		r, _ := vm.KernelRelease(file)
		return r == release
	})]
	if _, stderr, code, err := dtrecVM(bin, kernel, nil, "record", "--workload", "race", "-o", trace); err != nil || code != 0 {
		t.Fatalf("record: exit %d, %v\n%s", code, err, stderr)
	}
	return trace
}

// compareRace checks that every open is explained, except that of a thread which waited for the other
// thread's lookup to end. The dentry of the loser is accounted for in each case. It returns how many
// races there were.
func compareRace(t *testing.T, v report.Verdicts) (raced uint64) {
	t.Helper()
	claims := v.Programs[0].Claims
	if v.Programs[0].Program != "race" || v.Lost != 0 || !v.Complete {
		t.Errorf("program %q, lost %d, complete %v", v.Programs[0].Program, v.Lost, v.Complete)
	}
	raced = claims["race"]["proven"]
	const files = 48
	const opens = 2 * files
	if n := claims["equality"]; n["proven"]+n["unproven"] < opens || n["unproven"] > raced || n["refuted"] > 0 {
		t.Errorf("equality is %s, with %d races", spell(n), raced)
	}
	if n := claims["storage"]["proven"]; n != 1+2*files+raced { // the directory, each file twice, and the losers' dentries
		t.Errorf("%d dentries were allocated, with %d races", n, raced)
	}
	// One for each open, and one for drop_caches. The first two opens may race for the directory, too.
	if n := claims["key"]; n["proven"]+n["unproven"] != opens+1 || n["unproven"] > 1 || n["refuted"] > 0 {
		t.Errorf("key is %s", spell(n))
	}
	for _, kind := range []string{"prefix", "storage", "hash", "bucket", "absence"} {
		if !fits(claims[kind], "all proven") {
			t.Errorf("%s is %s", kind, spell(claims[kind]))
		}
	}
	tally.verdicts.Add(int64(8 + len(v.Doubts))) // the kinds above, and the doubts
	// d_alloc_parallel calls __d_lookup_rcu again and again while the other thread is inserting into
	// the directory. If the host has taken that thread's CPU from the guest, this can be any number of
	// times.
	for _, d := range v.Doubts {
		if !(d.Kind == "equality" && d.Reason == report.NotShown.Text || d.Kind == "key" && d.Reason == report.Replaced.Text ||
			d.Kind == "key" && d.Reason == report.TooManyEvents.Text) {
			t.Errorf("%s %v", strings.Join(doubtLines(d), "; "), d.Events)
		}
	}
	return raced
}

// checkNames checks that each length of name was recorded, and that a name is inside its dentry if the
// header's layout has room for it with its NUL. It reads the events alone.
func checkNames(t *testing.T, trace string) {
	t.Helper()
	lines := jsonLines(t, trace)
	layout := lines[0]["layout"].(map[string]any)
	place, room := layout["inline_name"].(float64), layout["inline_name_size"].(float64)
	inside := make(map[float64]bool)
	for _, e := range lines {
		if e["comm"] == "names" && e["role"] == "alloc" && e["phase"] == "exit" {
			inside[e["name_len"].(float64)] = number(e["name_addr"].(string))-number(e["dentry"].(string)) == uint64(place)
		}
	}
	for _, length := range []float64{31, 32, 39, 40, 41, 255, 256} {
		if in, ok := inside[length]; !ok || in != (length < room) {
			t.Errorf("a name of %v bytes: recorded %v, inside its dentry %v, which has room for %v", length, ok, in, room)
		}
	}
}

// compareAll is compareVerdictsOn, and also checks that every workload and every doubt of the tables is
// present.
func compareAll(t *testing.T, v report.Verdicts, fs string) {
	t.Helper()
	compareVerdictsOn(t, v, fs)
	folds := true // Debian's kernels older than 5.16 do not fold case
	if strings.HasPrefix(v.Kernel, "5.10") {
		folds = false
	}
	for workload := range onFilesystem(fs) {
		recorded := slices.ContainsFunc(v.Programs, func(p report.ProgramVerdict) bool { return p.Program == workload })
		if recorded != (workload != "casefold" || folds) {
			t.Errorf("%s was recorded: %v", workload, recorded)
		}
	}
	for _, want := range workloadDoubts {
		there := slices.ContainsFunc(v.Doubts, func(d report.DoubtVerdict) bool { return slices.Contains(doubtLines(d), want.line) })
		if !there && want.on(fs) && !want.some && (folds || !want.folded) {
			t.Errorf("on %s nothing says: %s", fs, want.line)
		}
	}
}
