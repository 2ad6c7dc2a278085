// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

var attachTypes = map[Attach]ebpf.AttachType{
	Fentry: ebpf.AttachTraceFEntry,
	Fexit:  ebpf.AttachTraceFExit,
	TPBTF:  ebpf.AttachTraceRawTp,
}

// Every program of the plan is in the object with the attach type the plan says,
// and every program of the object is in the plan.
func TestPlanPrograms(t *testing.T) {
	spec := loadSpec(t)
	unused := make(map[string]bool)
	for name := range spec.Programs {
		unused[name] = true
	}
	delete(unused, "inspect")
	for _, p := range plan() {
		for _, c := range p.candidates {
			prog := spec.Programs[c.program]
			if prog == nil {
				t.Errorf("%s: no program %s", c.symbol, c.program)
				continue
			}
			if prog.AttachType != attachTypes[c.attach] {
				t.Errorf("%s: program %s is %v, the plan says %d", c.symbol, c.program, prog.AttachType, c.attach)
			}
			delete(unused, c.program)
		}
	}
	for name := range unused {
		t.Errorf("program %s is in no plan", name)
	}
}

func TestPlanTable(t *testing.T) {
	type key struct {
		role  Role
		phase Phase
	}
	seen := make(map[key]bool)
	required := make(map[Role]bool)
	for i, p := range plan() {
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
	if len(Plan()) < len(seen) {
		t.Errorf("Plan lists %d attempts for %d probes", len(Plan()), len(seen))
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
	for _, a := range Plan() {
		a.Attached = a.Symbol != "__d_rehash" && a.Symbol != "do_file_open"
		if !a.Attached {
			a.Err = errNoFunction
		}
		s.attempts = append(s.attempts, a)
	}
	err, ok := s.checkRequired().(*MissingError)
	if !ok || err.Lack != LackProbe || !strings.Contains(err.Error(), "no probe for __d_rehash: __d_rehash: no such function") {
		t.Errorf("got %v", err)
	}
	if !s.has(RoleOpen, Enter) || s.has(RoleInsert, Exit) {
		t.Error("has is wrong about open or insert")
	}
}
