// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// sections are the ELF sections a program of an attach type may be in.
var sections = map[Attach]string{
	Fentry: "fentry", Fexit: "fexit", TPBTF: "tp_btf",
	Kprobe: "kprobe", KprobeMulti: "kprobe", Kretprobe: "kretprobe", KretprobeMulti: "kretprobe",
}

// Every program of the plan is in its object, in the section of the attach type the
// plan says, and every program of the objects is in the plan.
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
		for _, p := range plan(AnyMode) {
			for _, c := range p.candidates {
				object, spec := "trampoline ", trampoline
				if c.attach.kprobes() {
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

// The two objects share maps and variables: both have them, and at the same places.
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
		if len(kprobe.Variables) != len(trampoline.Variables) || len(kprobe.Maps) != len(trampoline.Maps)+1 {
			t.Errorf("%s: %d variables and %d maps, the other object has %d and %d", arch,
				len(kprobe.Variables), len(kprobe.Maps), len(trampoline.Variables), len(trampoline.Maps))
		}
	}
}

// Trampolines are tried first, then kprobe.multi, then single kprobes; a mode leaves
// out the others and never a tracepoint.
func TestPlanModes(t *testing.T) {
	order := func(mode Mode, role Role, phase Phase) string {
		var out []string
		for _, a := range Plan(mode) {
			if a.Role == role && a.Phase == phase {
				out = append(out, fmt.Sprint(a.Symbol, " ", a.Attach))
			}
		}
		return strings.Join(out, ", ")
	}
	for _, test := range []struct {
		mode Mode
		want string
	}{
		{AnyMode, "do_filp_open 2, do_file_open 2, do_filp_open 8, do_file_open 8, do_filp_open 4, do_file_open 4"},
		{FentryMode, "do_filp_open 2, do_file_open 2"},
		{KprobeMode, "do_filp_open 8, do_file_open 8, do_filp_open 4, do_file_open 4"},
	} {
		if got := order(test.mode, RoleOpen, Exit); got != test.want {
			t.Errorf("mode %d: open exit is tried as %s, want %s", test.mode, got, test.want)
		}
		if got := order(test.mode, RoleFork, Enter); got != "sched_process_fork 5" {
			t.Errorf("mode %d: fork is tried as %s", test.mode, got)
		}
	}
}

func TestPlanTable(t *testing.T) {
	type key struct {
		role  Role
		phase Phase
	}
	seen := make(map[key]bool)
	required := make(map[Role]bool)
	for i, p := range plan(AnyMode) {
		k := key{p.role, p.phase}
		if seen[k] {
			t.Errorf("role %d phase %d is there twice", p.role, p.phase)
		}
		seen[k] = true
		required[p.role] = required[p.role] || p.required
		if len(p.candidates) == 0 {
			t.Errorf("role %d phase %d has no candidate", p.role, p.phase)
		}
		if i == 0 && p.role != RoleFree {
			t.Error("free is not the first: kill would not know whether to forget")
		}
		for _, c := range p.candidates {
			if (c.attach == TPBTF) != (c.params == nil) {
				t.Errorf("%s: prototype %v with attach type %d", c.symbol, c.params, c.attach)
			}
		}
	}
	for role := RoleOpen; role <= RoleExit; role++ {
		if !seen[key{role, Enter}] && !seen[key{role, Exit}] {
			t.Errorf("role %d has no probe", role)
		}
	}
	for _, role := range []Role{RoleOpen, RoleLookup, RoleLookupRCU, RoleAlloc, RoleInsert, RoleKill} {
		if !required[role] {
			t.Errorf("role %d is not required", role)
		}
	}
	if len(Plan(AnyMode)) < len(seen) {
		t.Errorf("Plan lists %d attempts for %d probes", len(Plan(AnyMode)), len(seen))
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

// A missing role is named, and the kernel's refusal of everything is not blamed on
// the first role.
func TestCheckRequired(t *testing.T) {
	s := &Session{}
	for _, a := range Plan(AnyMode) {
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
	if !s.has(RoleOpen, Enter) || s.has(RoleInsert, Exit) {
		t.Error("has is wrong about open or insert")
	}
}
