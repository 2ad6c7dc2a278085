// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// The testdata is what perf and trace-cmd printed for the probes in docs/peers.md on Linux 6.12.
func TestPeers(t *testing.T) {
	for file, want := range map[string]struct {
		events, lost, unknown int
		kernel, machine       string
	}{
		"perf-script.txt":      {40, 0, 2, "6.12.118+deb13-cloud-amd64", "x86_64"},
		"trace-cmd-report.txt": {21, 1, 0, "", ""},
	} {
		text, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		l := read(t, string(text))
		if len(l.Runs) != 1 || l.Broken != 0 {
			t.Fatalf("%s: %d runs, %d broken", file, len(l.Runs), l.Broken)
		}
		r := l.Runs[0]
		if len(r.Events) != want.events || len(r.Lost) != want.lost || int(l.Unknown) != want.unknown || r.Release != want.kernel || r.Machine != want.machine || r.Printed {
			t.Errorf("%s: %d events, %d lost, %d unknown, %q %q", file, len(r.Events), len(r.Lost), l.Unknown, r.Release, r.Machine)
		}
		for i := range r.Events {
			e := &r.Events[i]
			if e.TID == 0 || e.Comm == "" || e.Columns == 0 || (e.PID == 0) != (want.kernel == "") {
				t.Errorf("%s: %+v", file, e)
			}
			// The kernel's hash is that of the name, cut at its length, with the parent as salt.
			if e.Role == schema.RoleLookupRCU && e.Phase == schema.Enter && schema.HashName(e.Parent, e.Name) != e.Hash {
				t.Errorf("%s: hash of %q is %d", file, e.Name, e.Hash)
			}
		}
	}
}

// Every probe that docs/peers.md sets is read by import with all its arguments.
func TestDocumentedProbes(t *testing.T) {
	doc, err := os.ReadFile("../../docs/peers.md")
	if err != nil {
		t.Fatal(err)
	}
	probes := regexp.MustCompile(`(?m)^[pr]:dtrec/(\w+) \w+ (.*)$`).FindAllStringSubmatch(string(doc), -1)
	if len(probes) < 10 {
		t.Fatalf("%d probes", len(probes))
	}
	for _, p := range probes {
		text := "(ffffffff81234560)"
		for _, argument := range strings.Fields(p[2]) {
			key, _, _ := strings.Cut(argument, "=")
			if value := " " + key + "=0x10"; key != "name" {
				text += value
			} else {
				text += ` name="a "b" c"`
			}
		}
		e, ok := probeEvent(p[1], text)
		if !ok || strings.Contains(text, "name=") && e.Name != `a "b" c` || e.Columns == 0 {
			t.Errorf("%s: %+v", p[0], e)
		}
	}
}

// An event that is not one of our probes, or not as the kernel prints one, is not read.
func TestOtherEvents(t *testing.T) {
	for line, broken := range map[string]uint64{
		`  cat-1 [000] 1.000000: sched_switch: prev_comm=cat`:                         0,
		`  cat-1 [000] 1.000000: open_enter: (0) name_addr=many`:                      1,
		`  cat-1 [000] 1.000000: open_enter: (0) colour=0x1`:                          1,
		`  cat-1 [000] 1.000000: open_enter: (0) name_addr=0x1 name="cut`:             1,
		`  cat-1 [000] 1.000000: open_leave: (0) name_addr=0x1`:                       0,
		`  cat-99999999999 [000] 1.000000: open_enter: (0) name_addr=0x1`:             0,
		`  cat 1/2 [000] 1.000000: dtrec:open_enter: name_addr=0x1`:                   1,
		`  cat 1/2 [000] 1.000000: dtrec:lookup_enter: (0) hash=18446744073709551616`: 1,
		`6,339,99999999999999999999,-;d_lookup return: NULL`:                          0,
	} {
		l := read(t, line+"\n")
		if len(l.Runs) != 0 || l.Unknown != 1 || l.Broken != broken {
			t.Errorf("%s: %d runs, %d unknown, %d broken", line, len(l.Runs), l.Unknown, l.Broken)
		}
	}
	l := read(t, `  cat-1 [000] 1.000000: open_enter: (0) name_addr=0xffff name=(fault)`)
	if e := l.Runs[0].Events[0]; e.Facts&schema.FactNameUnreadable == 0 || e.Name != "" {
		t.Errorf("%+v", e)
	}
	l = read(t, "  cat-1 [000] 1.000000: lookup_exit: (0) dentry=0x0\n  cat  1/1 [000] 2.000000: PERF_RECORD_LOST lost 12\n")
	if r := l.Runs[0]; len(r.Lost) != 1 || r.Lost[0].Loss.Count != 12 || l.Unknown != 0 {
		t.Errorf("%+v", r.Lost)
	}
}

// A remark behind a line is not part of the name if the log shows that it is not.
func TestNotes(t *testing.T) {
	const insert, hit = "__d_add entry: 0xffff8976c6763020 | t.txt\n", "__d_lookup_rcu return: 0xffff8976c6763020 | t.txt (later cache hit)\n"
	for log, want := range map[string]string{
		insert + hit: "t.txt",
		hit:          "t.txt (later cache hit)",
		"[A] DST: 0xffff8976c6763020 (the new dentry)\n": "",
		insert + strings.Replace(hit, "3020", "3021", 1): "t.txt (later cache hit)",
	} {
		r := read(t, log).Runs[0]
		if got := r.Events[len(r.Events)-1]; got.Name != want || int(got.NameLen) != len(want) {
			t.Errorf("%s: %q", log, got.Name)
		}
	}
}
