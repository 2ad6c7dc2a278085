// SPDX-License-Identifier: Apache-2.0

//go:build linux

package doctor

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
)

// attempts returns a plan in which open is attached by its other symbol, the kernel has no function for
// drop, and it refuses the program for delete.
func attempts() []bpf.Attempt {
	return []bpf.Attempt{
		{Probe: &schema.Probe{Role: schema.RoleDelete, Phase: schema.Enter, Symbol: "d_delete", Attach: schema.Fentry}, Err: errors.New("load: no")},
		{Probe: &schema.Probe{Role: schema.RoleDelete, Phase: schema.Enter, Symbol: "d_erase", Attach: schema.Fentry}, Err: &bpf.UnfitError{What: "no such function"}},
		{Probe: &schema.Probe{Role: schema.RoleDrop, Phase: schema.Enter, Symbol: "__d_drop", Attach: schema.Fentry}, Err: &bpf.UnfitError{What: "no such function"}},
		{Probe: &schema.Probe{Role: schema.RoleOpen, Phase: schema.Enter, Symbol: "do_filp_open", Attach: schema.Fentry, Required: true}, Err: &bpf.UnfitError{What: "no such function"}},
		{Probe: &schema.Probe{Role: schema.RoleOpen, Phase: schema.Enter, Symbol: "do_file_open", Attach: schema.Kprobe, Required: true, Attached: true, Uncounted: true}},
		{Probe: &schema.Probe{Role: schema.RoleKill, Phase: schema.Enter, Symbol: "__dentry_kill", Attach: schema.Fentry, Required: true}, Err: bpf.ErrNotTried},
	}
}

func TestDoctorProbes(t *testing.T) {
	rows := probesOf(attempts())
	var got []string
	for _, p := range rows {
		got = append(got, p.Role+" "+string(p.State)+": "+p.describe())
	}
	costs := func(r schema.Role, all bool) string {
		var p Probe
		p.Costs, p.Some = claimsNeeding(r, all)
		return p.costs()
	}
	want := []string{
		"open ok: do_file_open by kprobe; missed hits are not counted; so no proof of" + costs(schema.RoleOpen, true),
		"delete missing: d_delete by fentry: load: no; without it no proof of" + costs(schema.RoleDelete, false),
		"drop missing: __d_drop by fentry: no such function; without it no proof of" + costs(schema.RoleDrop, false),
		"kill unknown: __dentry_kill is in the kernel's BTF; attaching not tried",
	}
	if got := costs(schema.RoleDelete, false); got != ": eviction, delete, hard link; nor of some: negative" {
		t.Errorf("without delete no proof of%s", got)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDoctorConcludes(t *testing.T) {
	tried := attempts()[:5]
	tried[4].Uncounted = false
	uncounted := attempts()[4:5]
	for _, test := range []struct {
		name     string
		attempts []bpf.Attempt
		table    bool // dentry_hashtable is known
		exit     int
		reason   string
	}{
		{"everything", tried[4:], true, 0, ""},
		{"optional roles missing", tried, true, 1, "not recorded here: delete enter, drop enter"},
		{"missed hits", uncounted, true, 1, "missed hits of 1 probes are not counted"},
		{"no hash table", tried[4:], false, 1, "not recorded here: hash table"},
	} {
		d := Diagnosis{Exit: Cannot, Probes: probesOf(test.attempts), Checks: []Check{hashTableCheck(test.table, host{})}}
		d.conclude()
		if d.Exit != test.exit || d.Reason != test.reason {
			t.Errorf("%s: exit %d, %q; want %d, %q", test.name, d.Exit, d.Reason, test.exit, test.reason)
		}
	}
}

func TestDoctorChecks(t *testing.T) {
	find := func(m bpf.Machine, name string) Check {
		for _, c := range machineChecks(m) {
			if c.Name == name {
				return c
			}
		}
		t.Fatalf("no check %s", name)
		return Check{}
	}
	all := map[string]uint64{bpf.FuncTrampoline: 0, bpf.FuncFtrace: 0, bpf.FuncKprobe: 0, bpf.FuncKretprobe: 0, bpf.FuncFprobe: 0}
	for _, test := range []struct {
		machine bpf.Machine
		name    string
		want    State
	}{
		{bpf.Machine{}, "BTF", OK},
		{bpf.Machine{BTF: fs.ErrNotExist}, "BTF", Missing},
		{bpf.Machine{Capabilities: []string{"CAP_BPF"}, Lacking: "CAP_PERFMON"}, "capabilities", Missing},
		{bpf.Machine{CapabilitiesErr: fs.ErrNotExist}, "capabilities", Unknown},
		{bpf.Machine{Lockdown: "none"}, "lockdown", OK},
		{bpf.Machine{Lockdown: "integrity"}, "lockdown", OK},
		{bpf.Machine{Lockdown: "confidentiality"}, "lockdown", Missing},
		{bpf.Machine{}, "lockdown", Unknown},
		{bpf.Machine{Memlock: 1 << 16}, "memlock", Note},
		{bpf.Machine{JIT: "0"}, "BPF JIT", Missing},
		{bpf.Machine{Functions: all}, "BPF trampolines", OK},
		{bpf.Machine{}, "BPF trampolines", Missing},
		{bpf.Machine{}, "kprobes", Note},
		{bpf.Machine{FunctionsErr: fs.ErrPermission}, "kprobes", Unknown},
	} {
		c := find(test.machine, test.name)
		if c.State != test.want || c.Value == "" || (c.State == Missing) != (c.Remedy != "") {
			t.Errorf("%s of %+v: %+v, want %s", test.name, test.machine, c, test.want)
		}
	}
}

func TestDoctorText(t *testing.T) {
	d := Diagnosis{
		Kernel: "6.1.0", Machine: "x86_64", Exit: Cannot, Reason: "no CAP_BPF", Remedy: "run it with sudo",
		Checks: []Check{
			{"capabilities", Missing, "no CAP_BPF", "run it with sudo"},
			{"BPF JIT", Missing, "off\x1b[1m", "turn it on"},
		},
		Probes: []Probe{{Role: "open", Phase: "enter", Required: true, State: Missing, Reason: "x by fentry: no"}},
	}
	var out strings.Builder
	if err := d.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	want := `Linux 6.1.0, x86_64
This machine cannot record: no CAP_BPF.
  remedy: run it with sudo
  remedy for BPF JIT: turn it on

Machine
  capabilities  missing  no CAP_BPF
  BPF JIT       missing  off\x1b[1m

Probes
  open  enter  missing  x by fentry: no; required: nothing can be recorded without it
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	for exit, line := range map[int]string{0: "This machine can record everything.\n", 1: "This machine can record, with gaps: drop.\n"} {
		d := Diagnosis{Exit: exit, Reason: "drop"}
		out.Reset()
		if err := d.WriteText(&out); err != nil || !strings.Contains(out.String(), line) {
			t.Errorf("exit %d: %v\n%s", exit, err, out.String())
		}
	}
}
