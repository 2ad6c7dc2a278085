// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/dtrec/dtrec/schema"
)

// sections maps each way of attaching to the ELF section of its programs.
var sections = map[schema.Attach]string{
	schema.Fentry: "fentry", schema.Fexit: "fexit", schema.TPBTF: "tp_btf",
	schema.Kprobe: "kprobe", schema.KprobeMulti: "kprobe", schema.Kretprobe: "kretprobe", schema.KretprobeMulti: "kretprobe",
}

// Every program of the plan is in its object, in the section for its way of attaching, and every program of
// the objects is in the plan.
func TestPlanPrograms(t *testing.T) {
	trampoline := loadSpec(t)
	for arch, kprobe := range loadKprobeSpecs(t) {
		unused := make(map[string]bool)
		for name := range trampoline.Programs {
			unused["trampoline "+name] = true
		}
		for name := range kprobe.Programs {
			unused["kprobe "+name] = true
		}
		delete(unused, "trampoline inspect")
		delete(unused, "trampoline fstype_of")
		delete(unused, "trampoline find_symbol")
		delete(unused, "trampoline trampoline_of")
		delete(unused, "trampoline look_at_trampolines")
		for _, s := range hookSwitches {
			if s.handler != nil {
				delete(unused, "trampoline "+s.handler.program)
			}
		}
		for _, p := range plan(AnyMode, kernelTraits{}) {
			delete(unused, "kprobe "+p.sharedProgram())
		}
		for _, p := range plan(AnyMode, kernelTraits{preempts: true}) {
			for _, c := range p.candidates {
				object, spec := "trampoline ", trampoline
				if isKprobe(c.attach) {
					object, spec = "kprobe ", kprobe
				}
				prog := spec.Programs[c.program]
				if prog == nil || prog.SectionName != sections[c.attach] {
					t.Errorf("%s, %s: no program %s%s in section %s", arch, c.symbol, object, c.program, sections[c.attach])
				}
				delete(unused, object+c.program)
				delete(unused, object+c.program+"_stash")
			}
		}
		for name := range unused {
			t.Errorf("%s: program %s is in no plan", arch, name)
		}
	}
}

// The two objects share maps and variables: both have them, at the same places. The kprobe object has in
// addition the stash and the count of runs, which is a variable in a map of its own.
func TestObjectsShareMemory(t *testing.T) {
	trampoline := loadSpec(t)
	for arch, kprobe := range loadKprobeSpecs(t) {
		for name, want := range trampoline.Maps {
			got := kprobe.Maps[name]
			if got == nil || got.Type != want.Type || got.KeySize != want.KeySize || got.ValueSize != want.ValueSize || got.Flags != want.Flags {
				t.Errorf("%s: map %s is %v, want %v", arch, name, got, want)
			}
		}
		for name, want := range trampoline.Variables {
			got := kprobe.Variables[name]
			if got == nil || got.SectionName != want.SectionName || got.Offset != want.Offset || got.Size() != want.Size() {
				t.Errorf("%s: variable %s is %v, want %v", arch, name, got, want)
			}
		}
		if len(kprobe.Variables) != len(trampoline.Variables)+1 || len(kprobe.Maps) != len(trampoline.Maps)+2 {
			t.Errorf("%s: %d variables and %d maps, the other object has %d and %d", arch,
				len(kprobe.Variables), len(kprobe.Maps), len(trampoline.Variables), len(trampoline.Maps))
		}
	}
}

// Trampolines are tried first, then kprobe.multi, then single kprobes. Where the kernel preempts,
// kprobe.multi comes before trampolines and tracepoints. A mode leaves out the other ways, but never a
// tracepoint.
func TestPlanModes(t *testing.T) {
	order := func(mode Mode, preempts bool, role schema.Role, phase schema.Phase) string {
		var out []string
		for _, a := range Plan(mode, preempts) {
			if a.Role == role && a.Phase == phase {
				out = append(out, fmt.Sprint(a.Symbol, " ", int(a.Attach)))
			}
		}
		return strings.Join(out, ", ")
	}
	for _, test := range []struct {
		mode       Mode
		preempts   bool
		open, fork string
	}{
		{AnyMode, false, "do_filp_open 2, do_file_open 2, do_filp_open 8, do_file_open 8, do_filp_open 4, do_file_open 4",
			"sched_process_fork 5, wake_up_new_task 1, wake_up_new_task 7, wake_up_new_task 3"},
		{AnyMode, true, "do_filp_open 8, do_file_open 8, do_filp_open 2, do_file_open 2, do_filp_open 4, do_file_open 4",
			"wake_up_new_task 7, wake_up_new_task 1, wake_up_new_task 3, sched_process_fork 5"},
		{FentryMode, true, "do_filp_open 2, do_file_open 2", "wake_up_new_task 1, sched_process_fork 5"},
		{KprobeMode, false, "do_filp_open 8, do_file_open 8, do_filp_open 4, do_file_open 4",
			"sched_process_fork 5, wake_up_new_task 7, wake_up_new_task 3"},
	} {
		if got := order(test.mode, test.preempts, schema.RoleOpen, schema.Exit); got != test.open {
			t.Errorf("mode %d, preempts %v: open exit is tried as %s, want %s", test.mode, test.preempts, got, test.open)
		}
		if got := order(test.mode, test.preempts, schema.RoleFork, schema.Enter); got != test.fork {
			t.Errorf("mode %d, preempts %v: fork is tried as %s, want %s", test.mode, test.preempts, got, test.fork)
		}
	}
}

func TestPlanTable(t *testing.T) {
	type key struct {
		role  schema.Role
		phase schema.Phase
	}
	seen := make(map[key]bool)
	required := make(map[schema.Role]bool)
	for i, p := range plan(AnyMode, kernelTraits{preempts: true}) {
		k := key{p.role, p.phase}
		if seen[k] {
			t.Errorf("role %d phase %d is there twice", p.role, p.phase)
		}
		seen[k] = true
		required[p.role] = required[p.role] || p.required
		if len(p.candidates) == 0 {
			t.Errorf("role %d phase %d has no candidate", p.role, p.phase)
		}
		if i == 0 && p.role != schema.RoleFree {
			t.Error("free is not the first: kill would not know whether to forget")
		}
		for _, c := range p.candidates {
			if (c.attach == schema.TPBTF) != (c.params == nil) {
				t.Errorf("%s: prototype %v with attach type %d", c.symbol, c.params, c.attach)
			}
		}
	}
	for role := schema.RoleOpen; role < schema.RoleEnd; role++ {
		info, _ := role.Info()
		leaf := info.Traits&schema.TraitLeaf != 0
		for phase, shape := range map[schema.Phase]*schema.Shape{schema.Enter: info.Enter, schema.Exit: info.Exit, schema.Whole: info.Enter} {
			if want := shape != nil && leaf == (phase == schema.Whole); seen[key{role, phase}] != want {
				t.Errorf("role %d phase %d: a probe is there: %v, want %v", role, phase, !want, want)
			}
		}
	}
	for _, role := range []schema.Role{schema.RoleOpen, schema.RoleLookup, schema.RoleLookupRCU, schema.RoleAlloc, schema.RoleInsert, schema.RoleKill} {
		if !required[role] {
			t.Errorf("role %d is not required", role)
		}
	}
	if len(Plan(AnyMode, true)) < len(seen) {
		t.Errorf("Plan lists %d attempts for %d probes", len(Plan(AnyMode, true)), len(seen))
	}
}

func TestMatchPrototype(t *testing.T) {
	dentry := &btf.Pointer{Target: &btf.Struct{Name: "dentry"}}
	constQstr := &btf.Pointer{Target: &btf.Const{Type: &btf.Struct{Name: "qstr"}}}
	long := &btf.Int{Name: "long", Size: 8}
	fn := &btf.FuncProto{Return: dentry, Params: []btf.FuncParam{{Type: dentry}, {Type: constQstr}}}
	for _, test := range []struct {
		params  []string
		returns string
		want    string // part of the error
	}{
		{[]string{"dentry", "qstr"}, "dentry", ""},
		{[]string{"", ""}, "", ""},
		{[]string{"dentry"}, "dentry", "prototype is struct dentry * d_lookup(struct dentry *, struct qstr *)"},
		{[]string{"dentry", "qstr", ""}, "dentry", "prototype is"},
		{[]string{"qstr", "qstr"}, "dentry", "prototype is"},
		{[]string{"dentry", "qstr"}, "file", "prototype is"},
	} {
		err := matchPrototype(candidate{symbol: "d_lookup", params: test.params, returns: test.returns}, fn)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%v: %v", test.params, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%v: error %v, want %q", test.params, err, test.want)
		}
	}
	void := &btf.FuncProto{Return: &btf.Void{}, Params: []btf.FuncParam{{Type: long}, {Type: &btf.Pointer{Target: &btf.Void{}}}}}
	err := matchPrototype(candidate{symbol: "f", params: []string{}}, void)
	if err == nil || err.Error() != "prototype is void f(long, void *)" {
		t.Errorf("got %v", err)
	}
}

// Of two functions with the same name, a kprobe needs one that matches; a trampoline cannot tell them apart.
func TestTwoFunctionsOfOneName(t *testing.T) {
	long := &btf.Int{Name: "long", Size: 8}
	stub := &btf.Func{Name: "f", Type: &btf.FuncProto{Return: long}}
	real := &btf.Func{Name: "f", Type: &btf.FuncProto{Return: long, Params: []btf.FuncParam{{Type: long}}}}
	for _, test := range []struct {
		attach schema.Attach
		types  []btf.Type
		want   string
	}{
		{schema.Fentry, []btf.Type{long, real}, ""},
		{schema.Fentry, []btf.Type{stub, real}, "2 functions of that name in the kernel's BTF"},
		{schema.Kprobe, []btf.Type{real, stub}, ""},
		{schema.Kprobe, []btf.Type{stub}, "prototype is long f()"},
		{schema.Kprobe, []btf.Type{long}, errNoFunction().Error()},
	} {
		got := ""
		if err := matchAnyPrototype(candidate{symbol: "f", attach: test.attach, params: []string{""}}, test.types); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("attach %d: %q, want %q", test.attach, got, test.want)
		}
	}
}

// The missing role is named, and if the kernel refuses everything, the first role is not blamed.
func TestCheckRequired(t *testing.T) {
	s := &Session{}
	for _, a := range Plan(AnyMode, true) {
		a.Attached = a.Symbol != "__d_rehash" && a.Symbol != "do_file_open"
		if !a.Attached {
			a.Err = errNoFunction()
		}
		s.attempts = append(s.attempts, a)
	}
	err, ok := s.checkRequired().(*MissingError)
	if !ok || err.Lack != LackProbe || !strings.Contains(err.Error(), "no probe for __d_rehash: __d_rehash: no such function in the kernel's BTF") ||
		strings.Count(err.Error(), "__d_rehash: no such") != 1 {
		t.Errorf("got %v", err)
	}
	if !s.hasProbe(schema.RoleOpen, schema.Enter) || s.hasProbe(schema.RoleInsert, schema.Exit) {
		t.Error("has is wrong about open or insert")
	}
}

// The variable says how the kernel preempts; without it, the version says what the kernel was built for.
func TestPreemption(t *testing.T) {
	const debian = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.1-1 (2026-01-01)"
	for _, test := range []struct {
		version  string
		mode     int32
		read     bool
		want     Preemption
		preempts bool
	}{
		{debian, 0, true, PreemptNone, false},
		{debian, 1, true, PreemptVoluntary, false},
		{debian, 2, true, PreemptFull, true},
		{debian, 3, true, PreemptLazy, true},
		{debian, -1, true, PreemptUnknown, true},
		{debian, 4, true, PreemptUnknown, true},
		{debian, 0, false, PreemptUnknown, true},
		{"#1 SMP Debian 5.10.1-1 (2026-01-01)", 0, false, PreemptBuiltOff, false},
		{"#1 SMP PREEMPT Thu Jan 1", 0, false, PreemptBuiltOn, true},
		{"#1 SMP PREEMPT_RT Debian 6.1.1-1", 0, false, PreemptBuiltOn, true},
	} {
		if got := preemption(test.version, test.mode, test.read); got != test.want || got.Interrupts() != test.preempts {
			t.Errorf("%s, mode %d %v: %s, %v; want %s, %v", test.version, test.mode, test.read, got, got.Interrupts(), test.want, test.preempts)
		}
	}
}

// A role that is not wanted is in the header, and nothing is attached for it.
func TestNotWanted(t *testing.T) {
	all, attempts := (&attacher{}).attachAll(plan(AnyMode, kernelTraits{}), func(probe) bool { return false })
	if len(all) != 0 || len(attempts) != len(Plan(AnyMode, false)) {
		t.Errorf("%d attached, %d attempts", len(all), len(attempts))
	}
	for _, a := range attempts {
		if a.Attached || a.Err != errNotWanted {
			t.Errorf("%s: attached %v, %v", a.Symbol, a.Attached, a.Err)
		}
	}
}

// The header says why a trampoline was not tried on a kernel that preempts.
func TestNotTriedSaysWhy(t *testing.T) {
	for _, test := range []struct {
		preemption Preemption
		by, try    schema.Attach
		want       string
	}{
		{PreemptLazy, schema.KprobeMulti, schema.Fentry, "not tried: d_lookup is attached; preemption is lazy, so such a program would miss hits"},
		{PreemptLazy, schema.KprobeMulti, schema.TPBTF, "not tried: d_lookup is attached; preemption is lazy, so such a program would miss hits"},
		{PreemptLazy, schema.KprobeMulti, schema.Kprobe, "not tried: d_lookup is attached"},
		{PreemptLazy, schema.Fentry, schema.Kprobe, "not tried: d_lookup is attached"},
		{PreemptVoluntary, schema.Fentry, schema.KprobeMulti, "not tried: d_lookup is attached"},
	} {
		a := &attacher{preemption: test.preemption}
		got := a.notTried(Attempt{Probe: &schema.Probe{Symbol: "d_lookup", Attach: test.by}}, Attempt{Probe: &schema.Probe{Symbol: "d_lookup", Attach: test.try}})
		if got.Error() != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
