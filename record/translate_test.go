// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"testing"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
)

// What the kernel side records is what the catalogue says a live probe records, and
// the other way round.
func TestPlanFitsCatalogue(t *testing.T) {
	planned := make(map[schema.Role]map[schema.Phase]bool)
	for _, a := range bpf.Plan(bpf.AnyMode, true) {
		role, phase := schema.Role(a.Role), schema.Phase(a.Phase)
		if _, ok := shapeOf(role, phase); !ok {
			t.Errorf("%s: the catalogue has no %s %s", a.Symbol, role.Label(), phase)
		}
		if planned[role] == nil {
			planned[role] = make(map[schema.Phase]bool)
		}
		planned[role][phase] = true
		if schema.Attach_name[int32(a.Attach)] == "" {
			t.Errorf("%s: attach type %d is not in the schema", a.Symbol, a.Attach)
		}
	}
	for _, info := range schema.Catalogue() {
		if info.Enter != nil && !planned[info.Role][schema.Enter] || info.Exit != nil && !planned[info.Role][schema.Exit] {
			t.Errorf("%s: the catalogue has a phase without a probe", info.Name)
		}
	}
}

// The numbers of package bpf are those of the schema.
func TestNumbersFitSchema(t *testing.T) {
	for role, want := range map[bpf.Role]schema.Role{
		bpf.RoleOpen: schema.RoleOpen, bpf.RoleLookup: schema.RoleLookup, bpf.RoleLookupChain: schema.RoleLookupChain,
		bpf.RoleLookupRCU: schema.RoleLookupRCU, bpf.RoleAlloc: schema.RoleAlloc, bpf.RoleInsert: schema.RoleInsert,
		bpf.RoleInstantiate: schema.RoleInstantiate, bpf.RoleDelete: schema.RoleDelete, bpf.RoleDrop: schema.RoleDrop,
		bpf.RoleKill: schema.RoleKill, bpf.RoleFree: schema.RoleFree, bpf.RoleMove: schema.RoleMove,
		bpf.RoleEvict: schema.RoleEvict, bpf.RoleUnlink: schema.RoleUnlink, bpf.RoleFork: schema.RoleFork,
		bpf.RoleExec: schema.RoleExec, bpf.RoleExit: schema.RoleExit,
	} {
		if schema.Role(role) != want {
			t.Errorf("role %d is %s, want %s", role, schema.Role(role), want)
		}
	}
	for cause, want := range map[bpf.Cause]schema.LossCause{
		bpf.LossRingBuffer:     schema.LossCause_LOSS_CAUSE_RING_BUFFER,
		bpf.LossMissed:         schema.LossCause_LOSS_CAUSE_MISSED,
		bpf.LossWatchOverflow:  schema.LossCause_LOSS_CAUSE_WATCH_OVERFLOW,
		bpf.LossUnreadableName: schema.LossCause_LOSS_CAUSE_UNREADABLE_NAME,
		bpf.LossUnwatched:      schema.LossCause_LOSS_CAUSE_UNWATCHED,
	} {
		if schema.LossCause(cause) != want {
			t.Errorf("cause %d is %s, want %s", cause, schema.LossCause(cause), want)
		}
	}
	for fact, want := range map[int]schema.Fact{
		bpf.FactParentIsRoot: schema.FactParentIsRoot, bpf.FactParentOpHash: schema.FactParentOpHash,
		bpf.FactMountpoint: schema.FactMountpoint, bpf.FactUnhashed: schema.FactUnhashed,
		bpf.FactNameUnreadable: schema.FactNameUnreadable, bpf.FactUnwatched: schema.FactUnwatched,
	} {
		if schema.Fact(fact) != want {
			t.Errorf("fact %d is %s, want %s", fact, schema.Fact(fact), want)
		}
	}
	phases := schema.Phase(bpf.Enter) == schema.Enter && schema.Phase(bpf.Exit) == schema.Exit
	for attach, want := range map[bpf.Attach]schema.Attach{
		bpf.Kprobe: schema.Attach_ATTACH_KPROBE, bpf.Kretprobe: schema.Attach_ATTACH_KRETPROBE,
		bpf.KprobeMulti: schema.Attach_ATTACH_KPROBE_MULTI, bpf.KretprobeMulti: schema.Attach_ATTACH_KRETPROBE_MULTI,
	} {
		if schema.Attach(attach) != want {
			t.Errorf("attach type %d is %s, want %s", attach, schema.Attach(attach), want)
		}
	}
	attach := schema.Attach(bpf.Fentry) == schema.Attach_ATTACH_FENTRY && schema.Attach(bpf.Fexit) == schema.Attach_ATTACH_FEXIT &&
		schema.Attach(bpf.TPBTF) == schema.Attach_ATTACH_TP_BTF
	if !phases || !attach {
		t.Error("phases or attach types have other numbers")
	}
}

// The fields that several roles share mean what each role says.
func TestTranslateSharedFields(t *testing.T) {
	const value, flags, mode = 0xffff_8000_0000_1000, 0x8042, 0o644
	for _, test := range []struct {
		role  bpf.Role
		phase bpf.Phase
		want  schema.Event
	}{
		{bpf.RoleOpen, bpf.Enter, schema.Event{Flags: flags, Mode: mode}},
		{bpf.RoleOpen, bpf.Exit, schema.Event{Ret: value, Dev: flags, FSType: "ext4", Entered: 4}},
		{bpf.RoleInsert, bpf.Exit, schema.Event{Bucket: value}},
		{bpf.RoleMove, bpf.Enter, schema.Event{Target: value}},
		{bpf.RoleMove, bpf.Exit, schema.Event{Entered: 4}},
		{bpf.RoleDelete, bpf.Exit, schema.Event{Entered: 4}},
		{bpf.RoleLookup, bpf.Enter, schema.Event{Dev: flags, FSType: "xfs"}},
		{bpf.RoleAlloc, bpf.Exit, schema.Event{Dev: flags, FSType: "xfs"}},
		{bpf.RoleUnlink, bpf.Exit, schema.Event{Ret: value, Entered: 4}},
		{bpf.RoleFork, bpf.Enter, schema.Event{Child: flags}},
		{bpf.RoleExit, bpf.Enter, schema.Event{Ret: value}},
		{bpf.RoleLookup, bpf.Exit, schema.Event{}},
	} {
		e := newTranslator(func(uint64) string { return "xfs" }).translate(&bpf.Record{
			Role: test.role, Phase: test.phase, Value: value, Flags: flags, Mode: mode, FSType: []byte("ext4"),
			Time: 5, Entered: 4, CPU: 3, PID: 7, TID: 8, Comm: []byte("cat"), Name: []byte("x"), NameLen: 1, Dentry: 9, Parent: 10,
		})
		if e == nil {
			t.Errorf("role %d phase %d: not translated", test.role, test.phase)
			continue
		}
		got := schema.Event{Ret: e.Ret, Flags: e.Flags, Mode: e.Mode, FSType: e.FSType, Dev: e.Dev,
			Entered: e.Entered, Bucket: e.Bucket, Target: e.Target, Child: e.Child}
		if got != test.want {
			t.Errorf("role %d phase %d: %+v, want %+v", test.role, test.phase, got, test.want)
		}
		if e.Time != 5 || e.CPU != 3 || e.PID != 7 || e.TID != 8 || e.Comm != "cat" || e.Name != "x" || e.Dentry != 9 || e.Parent != 10 {
			t.Errorf("role %d phase %d: common fields are %+v", test.role, test.phase, e)
		}
	}
	if newTranslator(func(uint64) string { return "xfs" }).translate(&bpf.Record{Role: bpf.RoleInsert, Phase: bpf.Enter}) != nil {
		t.Error("a phase the catalogue does not have is translated")
	}
}

// A name seen before costs nothing.
func TestTranslateDoesNotAllocate(t *testing.T) {
	tr := newTranslator(func(uint64) string { return "xfs" })
	r := &bpf.Record{Role: bpf.RoleLookup, Phase: bpf.Enter, Comm: []byte("cat"), Name: []byte("passwd"), NameLen: 6}
	tr.translate(r)
	if n := testing.AllocsPerRun(100, func() { tr.translate(r) }); n != 0 {
		t.Errorf("%v allocations for each event", n)
	}
}
