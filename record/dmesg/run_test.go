// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/google/go-cmp/cmp"
)

const null = "d_lookup return: NULL\n"

// runsOf returns the times of the events of each run.
func runsOf(t *testing.T, log string) (out [][]uint64) {
	t.Helper()
	for _, r := range read(t, log).Runs {
		var times []uint64
		for _, e := range r.Events {
			times = append(times, e.Time)
		}
		out = append(out, times)
	}
	return out
}

// Another boot begins another run; lines that are a little out of order do not.
func TestRunsAndTimes(t *testing.T) {
	for name, c := range map[string]struct {
		log  string
		want [][]uint64
	}{
		"no times":     {null + null + null, [][]uint64{{1, 2, 3}}},
		"seconds":      {"[   1.000000] " + null + "[   2.500000] " + null, [][]uint64{{1e9, 2.5e9}}},
		"out of order": {"[   2.000000] " + null + "[   1.999990] " + null + "[   1.000000] " + null, [][]uint64{{2e9, 1.99999e9, 1e9}}},
		"second boot":  {"[   2.000001] " + null + "[   1.000000] " + null, [][]uint64{{2.000001e9}, {1e9}}},
		// The line whose time goes back need not be one of the module's.
		"boot between":    {"[  90.000000] " + null + "[   0.000000] x\n" + "[  95.000000] " + null, [][]uint64{{90e9}, {95e9}}},
		"first line":      {"[  90.000000] " + null + "[  90.000000] Linux version 6.8.0-51-generic (x) #52 SMP\n" + "[  91.000000] " + null, [][]uint64{{90e9}, {91e9}}},
		"no time between": {"[   1.000000] " + null + null + "[   1.500000] " + null, [][]uint64{{1e9, 1e9, 1.5e9}}},
		"times begin":     {null + null + "[   1.000000] " + null, [][]uint64{{1, 2, 1e9}}},
		"dates": {"[Sat Feb  7 12:00:00 2026] " + null + "[Sat Feb  7 12:00:09 2026] " + null + "[Sat Feb  7 12:00:08 2026] " + null,
			[][]uint64{{0, 9e9, 8e9}}},
		"dates of two boots":       {"[Sat Feb  7 12:00:00 2026] " + null + "[Sat Feb  7 11:00:00 2026] " + null, [][]uint64{{0}, {0}}},
		"syslog over the new year": {"Dec 31 23:59:59 h kernel: " + null + "Jan  1 00:00:01 h kernel: " + null, [][]uint64{{0, 2e9}}},
		"syslog of two boots":      {"Feb  7 12:00:00 h kernel: " + null + "Feb  6 12:00:00 h kernel: " + null, [][]uint64{{0}, {0}}},
		// A second clock is not compared with the first.
		"two clocks": {"[   5.000000] " + null + "[Sat Feb  7 12:00:00 2026] " + null + "[   6.000000] " + null, [][]uint64{{5e9, 5e9, 6e9}}},
		// But each clock is compared with itself: a boot shows also in a clock that events do not use.
		"date, then seconds of two boots": {"Feb  7 12:00:00 h kernel: " + null + "Feb  7 12:00:01 h kernel: [   9.000000] " + null + "Feb  7 12:00:05 h kernel: [   1.000000] " + null,
			[][]uint64{{0, 0}, {1e9}}},
		"seconds of two boots, dates go on": {"Feb  7 12:00:00 h kernel: [   9.000000] " + null + "Feb  7 12:00:05 h kernel: [   1.000000] " + null, [][]uint64{{9e9}, {1e9}}},
		"syslog twice over the new year": {"Jul  1 00:00:00 h kernel: " + null + "Jan  1 00:00:00 h kernel: " + null + "Jul  1 00:00:00 h kernel: " + null + "Jan  1 00:00:00 h kernel: " + null,
			[][]uint64{{0, 184 * 864e11, 366 * 864e11, 550 * 864e11}}},
		// The line that journalctl prints between boots begins a run; the line about where the journal begins
		// does not.
		"journal":         {"-- Journal begins at Sat 2026-02-07. --\n" + null + "-- Boot 0123456789abcdef0123456789abcdef --\n" + null + null, [][]uint64{{1}, {1, 2}}},
		"older journal":   {"-- Logs begin at Sat 2026-02-07 12:00:00 CET, end at Sat 2026-02-07 13:00:00 CET. --\n" + null + "-- Reboot --\n" + null, [][]uint64{{1}, {1}}},
		"boot found":      {"1:" + null + "2:-- Reboot --\n3:" + null, [][]uint64{{1}, {1}}},
		"boot and kernel": {"[   9.000000] " + null + "-- Reboot --\n[   0.000000] Linux version 6.8.0 (x) #1\n[   9.500000] " + null, [][]uint64{{9e9}, {9.5e9}}},
		"said in a line":  {null + "[   9.000000] -- Reboot --\n" + null, [][]uint64{{1, 9e9}}},
	} {
		if d := cmp.Diff(c.want, runsOf(t, c.log)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// The separators of journalctl are known lines; its headings are unknown ones.
func TestLinesOfJournalctl(t *testing.T) {
	l := read(t, "-- Journal begins at Sat 2026-02-07. --\n"+null+"-- Boot 0123456789abcdef0123456789abcdef --\n-- Reboot --\n-- Boot 7 --\n"+null)
	if l.Lines != 6 || l.Unknown != 2 || l.Broken != 0 || len(l.Runs) != 2 || l.Runs[1].Line != 4 {
		t.Errorf("%+v", l)
	}
}

// theProbes are the probes in the header of TestRunIsATrace.
var theProbes = []string{"open enter do_filp_open ", "insert enter d_add ", "insert enter __d_add ", "call enter dput ",
	"call enter d_add_ci optional probe not registered, the log says", "call enter nosuch optional probe not registered, the log says"}

// A written run can be read back, and its header contains only what the log shows.
func TestRunIsATrace(t *testing.T) {
	log := "[  0.000000] Linux version 6.8.0-51-generic (b@h) (gcc 13) #52-Ubuntu SMP Thu\n" +
		"[  1.000000] optional probe not registered: d_add_ci\n[  1.000000] optional probe not registered: nosuch\n" +
		"[  2.000000] [O] IN: 0xffff8976c6763020 | /x\n[  2.100000] dput entry: 0xffff8976c6763038 | x\n" +
		"[  2.050000] d_add entry: 0xffff8976c6763038 | x\n[  2.200000] __d_add entry: 0xffff8976c6763038 | x\n"
	l := read(t, log)
	var out bytes.Buffer
	if err := l.Runs[0].Write(&out, "test"); err != nil {
		t.Fatal(err)
	}
	r, err := schema.NewReader(&out, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h := r.Header()
	if k := h.Kernel; k.Release != "6.8.0-51-generic" || k.Version != "#52-Ubuntu SMP Thu" || k.Machine != schema.UnknownKernel {
		t.Errorf("kernel %v", k)
	}
	if h.StartUnixNs != 0 || h.StartBootNs != 0 || h.BootId != "" || h.Layout.DentrySize != 0 || h.Layout.NameHash != 0 || !h.Imported() {
		t.Errorf("header %v", h)
	}
	var probes []string
	for _, p := range h.Probe {
		if p.Attached != p.Uncounted || p.Attach != schema.Attach_ATTACH_DMESG {
			t.Errorf("probe %v", p)
		}
		probes = append(probes, p.Role.Label()+" "+p.Phase.Label()+" "+p.Symbol+" "+p.Error)
	}
	if d := cmp.Diff(theProbes, probes); d != "" {
		t.Error(d)
	}
	var symbols []string
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := rec.(*schema.Event); ok {
			symbols = append(symbols, e.Symbol)
			if e.PID != 0 || e.TID != 0 || e.Comm != "" || e.Dentry != 0 || e.Columns.Has(schema.ColumnDentry) {
				t.Errorf("event %+v", e)
			}
		}
	}
	if d := cmp.Diff([]string{"", "dput", "d_add", "__d_add"}, symbols); d != "" {
		t.Error(d)
	}
	if again := read(t, log); !bytes.Equal(again.Runs[0].id(), l.Runs[0].id()) {
		t.Error("the same log has two run ids")
	}
	if other := read(t, strings.Replace(log, "| /x", "| /y", 1)); bytes.Equal(other.Runs[0].id(), l.Runs[0].id()) {
		t.Error("two logs have one run id")
	}
}

func TestRunIDsTellErrorsApart(t *testing.T) {
	bytewise := read(t, "Linux version 6.8\xff (x) #1 \x80\n"+null).Runs[0]
	if err := bytewise.Write(io.Discard, "test"); err != nil || bytewise.Release != "6.8�" || bytewise.Version != "#1 �" {
		t.Errorf("%q %q: %v", bytewise.Release, bytewise.Version, err)
	}
	one, two := read(t, "[O] OUT: 0xfffffffffffffffe\n"), read(t, "[O] OUT: 0xffffffffffffffff\n")
	if bytes.Equal(one.Runs[0].id(), two.Runs[0].id()) {
		t.Error("two errors have one run id")
	}
}

// Whatever the bytes are, Read does not panic, counts every line, and each run can be written and read back.
func FuzzImport(f *testing.F) {
	f.Add("[    1.000000] [O] IN: 0xffff8976c6763020 | /tmp/t_e.txt\n[sudo] password for r: 12:[    1.000001] d_lookup entry: hash 210259851 length 7 name t_e.txt\n")
	f.Add("Feb  7 12:00:00 h kernel: __d_lookup_rcu return: 0xffff8976c6763020 | a\\x1b | b\n[Sat Feb  7 12:00:00 2026] full_name_hash return: 7 length 1 salt 0xffff8976c6763020 name xy\n")
	f.Add("- before drop_caches: __d_add entry 0xffff8977185a9578 | t, do_filp_open return pointer 0xffff8977185a9578 | t\n- x hit: __d_lookup_rcu return = 0xffff897725f9f0f8\n")
	f.Add("[    9.000000] cat (7): drop_caches: 2\n[    0.000000] Linux version 6.8.0 (x) #1\n[    0.100000] [A] DST: 0x00000000c6763020\noptional probe not registered: d_drop\n")
	f.Add("[    9.000000] dput entry from walk: 0xffff8976c6763020 | \\\\\\n\\xff\n1970-01-01T00:00:05,000001+01:00 __dentry_kill entry: (____ptrval____)\n")
	f.Add("-- Boot 0123456789abcdef0123456789abcdef --\nboot1.log:12:- [    1.000000] [O] OUT: 0xfffffffffffffffe | `a\n12:[sudo] password for r: - d_delete entry: 0xffff8976c6763020 | `` `a ``\n")
	f.Fuzz(func(t *testing.T, log string) {
		var skipped uint64
		l, err := Read(strings.NewReader(log), func(uint64, string, bool) { skipped++ })
		if err != nil {
			t.Fatal(err)
		}
		lines := uint64(strings.Count(log, "\n"))
		if log != "" && !strings.HasSuffix(log, "\n") {
			lines++
		}
		if l.Lines != lines || l.Unknown != skipped || l.Broken > l.Unknown || l.Unknown > l.Lines {
			t.Fatalf("%+v of %d lines, %d skipped", l, lines, skipped)
		}
		for _, run := range l.Runs {
			holdTogether(t, run)
		}
	})
}

// holdTogether writes a run, reads it back and compares the two.
func holdTogether(t *testing.T, run *Run) {
	var out bytes.Buffer
	if err := run.Write(&out, "fuzz"); err != nil {
		t.Fatal(err)
	}
	r, err := schema.NewReader(&out, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n := 0
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch rec := rec.(type) {
		case *schema.Event:
			want := run.Events[n]
			if n++; !want.Columns.Has(schema.ColumnSymbol) {
				want.Symbol = "" // it is in the header
			}
			want.ID = uint64(n)
			if d := cmp.Diff(&want, rec); d != "" {
				t.Fatal(d)
			}
			if rec.Columns.Has(schema.ColumnNameAddr) && rec.NameAddr != 0 && rec.NameAddr>>32 == 0 {
				t.Fatalf("%#x is what %%p prints", rec.NameAddr)
			}
		case *schema.Damage:
			t.Fatal(rec.Err)
		}
	}
	if n != len(run.Events) || !r.Complete() {
		t.Fatalf("%d of %d events, complete %v", n, len(run.Events), r.Complete())
	}
}
