// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/report"
)

// The same workloads on a filesystem in memory and on one layered on another: what
// the kernel does differs, and so do the verdicts.
func TestKernelFilesystems(t *testing.T) {
	binary := dtrecBinary(t)
	for release, kernel := range kernels(t) {
		for _, fs := range []string{"tmpfs", "overlay"} {
			t.Run(release+"/"+fs, func(t *testing.T) {
				trace := filepath.Join(t.TempDir(), "run.pb")
				_, stderr, code := inGuestWith(t, binary, kernel, []string{"--fs", fs}, "record", "--workload", "all", "-o", trace)
				if code != 0 {
					t.Fatalf("record: exit %d\n%s", code, stderr)
				}
				if told := strings.Contains(stderr, "/tmp is in memory"); told != (fs == "tmpfs") {
					t.Errorf("it says that /tmp is in memory: %v\n%s", told, stderr)
				}
				v := verdicts(t, trace)
				if v.Lost != 0 || !v.Complete {
					t.Errorf("lost %d, complete %v", v.Lost, v.Complete)
				}
				compareAll(t, v, fs)
				checkPage(t, trace)
			})
		}
	}
}

// raceTries bounds how often the race is recorded until it happens.
const raceTries = 10

// Two threads open one name at once. What is claimed holds whether both allocated a
// dentry or not; that they do is seen at least once.
func TestKernelRace(t *testing.T) {
	binary := dtrecBinary(t)
	for release, kernel := range kernels(t) {
		t.Run(release, func(t *testing.T) {
			for i := range raceTries {
				trace := filepath.Join(t.TempDir(), fmt.Sprintf("race%d.pb", i))
				if _, stderr, code := inGuest(t, binary, kernel, "record", "--workload", "race", "-o", trace); code != 0 {
					t.Fatalf("record: exit %d\n%s", code, stderr)
				}
				v := verdicts(t, trace)
				if v.Lost > 0 && v.Refuted == 0 { // where a program is preempted, hits are missed, and counted
					t.Logf("try %d: %d lost", i+1, v.Lost)
					continue
				}
				raced := compareRace(t, v)
				checkPage(t, trace)
				if t.Logf("try %d: %d races", i+1, raced); raced > 0 || t.Failed() {
					return
				}
			}
			t.Errorf("not one race in %d recordings", raceTries)
		})
	}
}

// compareRace: every open is explained, but that of a thread which waited for the
// other's lookup to end; the loser's dentry is accounted for in each case.
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
	if n := claims["storage"]["proven"]; n != 1+2*files+raced { // the directory, each file twice, the losers
		t.Errorf("%d dentries were allocated, with %d races", n, raced)
	}
	// Of each open, and of drop_caches; the first two may race for the directory, too.
	if n := claims["key"]; n["proven"]+n["unproven"] != opens+1 || n["unproven"] > 1 || n["refuted"] > 0 {
		t.Errorf("key is %s", spell(n))
	}
	for _, kind := range []string{"prefix", "storage", "hash", "bucket", "absence"} {
		if !fits(claims[kind], "all proven") {
			t.Errorf("%s is %s", kind, spell(claims[kind]))
		}
	}
	for _, d := range v.Doubts {
		if !(d.Kind == "equality" && d.Reason == "no lookup or alloc of this open returned the dentry" ||
			d.Kind == "key" && d.Reason == "another dentry was put in the place of the one allocated") {
			t.Errorf("%s %v", strings.Join(doubtLines(d), "; "), d.Events)
		}
	}
	return raced
}

// checkNames: each length of name was recorded, and lies in its dentry where the
// header's layout has room for it and a zero; read from the events alone.
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
