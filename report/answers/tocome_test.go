// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"math"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Events with roles and phases that this version does not know are skipped, whatever their numbers.
func TestEventsToCome(t *testing.T) {
	trace, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		for _, role := range []schema.Role{math.MinInt32, -1, 0, schema.RoleOpen, schema.RoleLookupRCU, schema.RoleAlloc, schema.RoleInsert, schema.RoleKill, schema.RoleEnd, math.MaxInt32} {
			for _, phase := range []schema.Phase{math.MinInt32, -1, 0, schema.Enter, schema.Exit, schema.Whole, schema.Whole + 1, math.MaxInt32} {
				emit(&schema.Event{Time: 1, PID: 1, TID: 1, Comm: "cat", Role: role, Phase: phase, Columns: math.MaxUint32, Dentry: 0x1000, Name: "a", NameLen: 1, Parent: 0x2000})
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"D1", "0x1000", "#1", "#9", "a", "/a", "1"} {
		target, err := ParseTarget(what)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Show(tracetest.Read(t, trace), target); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if s, err := Summarize(tracetest.Read(t, trace)); err != nil || s.Events != 80 {
		t.Errorf("%d events, %v", s.Events, err)
	}
}

// If a process id was reused, what is shown of it covers both processes, and the title says so.
func TestANumberOfTwoProcesses(t *testing.T) {
	trace, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		of := func(pid, child uint32, role schema.Role, comm string) {
			emit(&schema.Event{Time: 1, PID: pid, TID: pid, Comm: comm, Role: role, Phase: schema.Enter, Child: child, Columns: role.Shape(schema.Enter).Columns})
		}
		for _, comm := range []string{"first", "second"} {
			of(1, 7, schema.RoleFork, "sh")
			of(7, 0, schema.RoleExec, comm)
			of(7, 0, schema.RoleExit, comm)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	target, err := ParseTarget("7")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := Show(tracetest.Read(t, trace), target)
	if err != nil || !strings.HasPrefix(shown.Sections[0].Title, "2 processes had the number 7, the last is ") || !strings.Contains(shown.Sections[0].Title, "second") {
		t.Errorf("%v, %+v", err, shown)
	}
}

// A file whose name looks like a dentry, an address, an event or a process id is found by that name too.
func TestNamesThatReadAsSomethingElse(t *testing.T) {
	names := []string{"D99", "0xff46d3dbc15ccf00", "0xnone", "#99", "99", "99999999999999999999"}
	trace, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		for _, name := range names {
			for _, phase := range []schema.Phase{schema.Enter, schema.Exit} {
				emit(&schema.Event{Time: 1, PID: 1, TID: 1, Comm: "cat", Role: schema.RoleOpen, Phase: phase, Columns: schema.RoleOpen.Shape(phase).Columns, Name: name, NameLen: uint32(len(name)), NameAddr: 0x1000})
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		target, err := ParseTarget(name)
		if err != nil {
			t.Fatal(err)
		}
		if shown, err := Show(tracetest.Read(t, trace), target); err != nil || len(shown.Sections) == 0 || !strings.Contains(shown.Sections[0].Title, "1 call on") {
			t.Errorf("%s: %v, %+v", name, err, shown)
		}
	}
}

// A process is found by its name as it is printed, whatever the name reads as.
func TestProcessesByTheirNames(t *testing.T) {
	names := []string{"a|b\n`<x>", "kworker/0:1", "D99", "#99", "99"}
	trace, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		for i, name := range names {
			for _, phase := range []schema.Phase{schema.Enter, schema.Exit} {
				emit(&schema.Event{Time: 1, PID: 500 + uint32(i), TID: 500 + uint32(i), Comm: name, Role: schema.RoleOpen, Phase: phase, Columns: schema.RoleOpen.Shape(phase).Columns, Name: "f", NameLen: 1, NameAddr: 0x1000})
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		target, err := ParseTarget(replay.Printable(name))
		if err != nil {
			t.Fatal(err)
		}
		if shown, err := Show(tracetest.Read(t, trace), target); err != nil || len(shown.Sections) != 1 || shown.Sections[0].Title != "1 process called "+replay.Printable(name) {
			t.Errorf("%q: %v, %+v", name, err, shown)
		}
	}
}

// A call that failed before it looked up a name led to no path.
func TestFailuresWithoutAPath(t *testing.T) {
	trace, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		for _, e := range []schema.Event{
			{Role: schema.RoleMkdir, Phase: schema.Enter}, {Role: schema.RoleWalkParent, Phase: schema.Enter, Name: "/", NameLen: 1, NameAddr: 0x1000},
			{Role: schema.RoleWalkParent, Phase: schema.Exit}, {Role: schema.RoleMkdir, Phase: schema.Exit, Ret: ^uint64(16)},
		} {
			e.Time, e.PID, e.TID, e.Comm, e.Columns = 1, 1, 1, "mkdir", e.Role.Shape(e.Phase).Columns
			emit(&e)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	target, err := ParseTarget("/")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := Show(tracetest.Read(t, trace), target)
	var out strings.Builder
	if err := cmp.Or(err, shown.WriteText(&out)); err != nil {
		t.Fatal(err)
	}
	if said := out.String(); !strings.Contains(said, "EEXIST\n") || strings.Contains(said, "EEXIST at") {
		t.Error(said)
	}
}
