// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// played gives events to a model, a microsecond apart, and returns the path calls and tasks that it hands
// out.
func played(events ...schema.Event) (calls []*PathCall, tasks []*Task) {
	m := NewModel(tracetest.Header())
	m.Call = func(c *PathCall) { calls = append(calls, c.Clone()) }
	m.Task = func(t *Task) { tasks = append(tasks, t) }
	for i := range events {
		e := &events[i]
		if e.ID, e.Time = uint64(i+1), e.Time+uint64(i+1)*1000; e.TID == 0 {
			e.PID, e.TID, e.Comm = 7, 7, "p"
		}
		e.Columns = e.Role.Shape(e.Phase).Columns
		e.NameLen = uint32(len(e.Name))
		m.Record(e)
	}
	m.End()
	return calls, tasks
}

const pathAt, dirAt, ownAt, otherAt = 0xffff0000_0100, 0xffff0000_1000, 0xffff0000_2000, 0xffff0000_3000

func opening(path string, how uint32) schema.Event {
	return schema.Event{Role: schema.RoleOpen, Phase: schema.Enter, Name: path, NameAddr: pathAt, How: how}
}

func asking(role schema.Role, name string, off uint64) schema.Event {
	return schema.Event{Role: role, Phase: schema.Enter, Name: name, NameAddr: pathAt + off, Parent: dirAt}
}

func about(role schema.Role, dentry, inode uint64, name string) schema.Event {
	return schema.Event{Role: role, Phase: schema.Exit, Dentry: dentry, Inode: inode, Name: name, Parent: dirAt}
}

// A call that took the dentry of another task says how long it waited.
func TestWaitForAnotherTask(t *testing.T) {
	calls, _ := played(opening("f", 0), asking(schema.RoleLookupRCU, "f", 0), about(schema.RoleLookupRCU, 0, 0, ""),
		asking(schema.RoleAlloc, "f", 0), about(schema.RoleAlloc, ownAt, 0, "f"), about(schema.RoleParallel, otherAt, 5, "f"),
		schema.Event{Role: schema.RoleOpen, Phase: schema.Exit, Dentry: otherAt, Inode: 5, Ino: 12, Name: "f"})
	c := calls[0]
	if p := c.Components[0]; c.Wait != 1000 || p.Wait != 1000 || p.Dentry.Addr != otherAt || p.Negative || p.Filesystem != 0 {
		t.Errorf("waited %d ns, %+v", c.Wait, p)
	}
	if c.Class != ClassMiss || c.Ino != 12 {
		t.Errorf("class %s, inode %d", c.Class, c.Ino)
	}
}

// There was no wait if the task's own dentry was inserted.
func TestNoWait(t *testing.T) {
	calls, _ := played(opening("f", 0), asking(schema.RoleAlloc, "f", 0), about(schema.RoleAlloc, ownAt, 0, "f"), about(schema.RoleInsert, ownAt, 5, "f"),
		about(schema.RoleParallel, ownAt, 5, "f"))
	if c := calls[0]; c.Wait != 0 || c.Filesystem != 1000 {
		t.Errorf("waited %d ns, the filesystem %d", c.Wait, c.Filesystem)
	}
}

// The components of a walk that started over, and of a name known to be missing.
func TestPartsOfACall(t *testing.T) {
	late := about(schema.RoleInstantiate, ownAt, 5, "f")
	late.Time = 50_000
	end := schema.Event{Role: schema.RoleOpen, Phase: schema.Exit, Dentry: ownAt, Inode: 5, Name: "f", Time: 50_000}
	calls, _ := played(opening("f", 1<<19|1<<16|1), asking(schema.RoleLookupRCU, "f", 0), about(schema.RoleLookupRCU, ownAt, 0, "f"),
		asking(schema.RoleLookupChain, "f", 0), about(schema.RoleLookupChain, ownAt, 0, "f"), late, end)
	c := calls[0]
	if c.Restarts != 1 || c.UntilRestart != 3000 {
		t.Errorf("%d restarts, the last after %d ns", c.Restarts, c.UntilRestart)
	}
	if c.Components[0].Create != 51_000 || c.Filesystem != 51_000 {
		t.Errorf("%d ns until it had an inode, %d of the filesystem", c.Components[0].Create, c.Filesystem)
	}
	if want := (Gap{EventRef{5, schema.RoleLookupChain, schema.Exit}, EventRef{6, schema.RoleInstantiate, schema.Exit}, 51_000}); c.Gap != want {
		t.Errorf("%+v, want %+v", c.Gap, want)
	}
	if got := c.FlagNames(); !slices.Equal(got, []string{"RESOLVE_NO_SYMLINKS", "RESOLVE_BENEATH"}) {
		t.Errorf("limits %v", got)
	}
}

// The events of an open inside an exec count as events of the exec: its longest gap is between two events
// of its thread.
func TestLongestTimeOfACallWithCalls(t *testing.T) {
	late := func(e schema.Event, by uint64) schema.Event { e.Time = by; return e }
	execve := schema.Event{Role: schema.RoleExecve, Phase: schema.Enter}
	file, loader := opening("f", 0), opening("ld.so", 0)
	opened := schema.Event{Role: schema.RoleOpen, Phase: schema.Exit, Dentry: ownAt, Inode: 5, Name: "f"}
	exec := schema.Event{Role: schema.RoleExec, Phase: schema.Enter, Name: "f"}
	done := schema.Event{Role: schema.RoleExecve, Phase: schema.Exit}
	calls, _ := played(execve, file, opened, late(loader, 4000), late(asking(schema.RoleLookupRCU, "ld.so", 0), 14_000), late(about(schema.RoleLookupRCU, otherAt, 6, "ld.so"), 14_000),
		late(schema.Event{Role: schema.RoleOpen, Phase: schema.Exit, Dentry: otherAt, Inode: 6, Name: "ld.so"}, 14_000), late(exec, 23_000), late(done, 23_000))
	if len(calls) != 2 || calls[0].Operation != "open" || calls[1].Operation != "exec" {
		t.Fatalf("%d calls", len(calls))
	}
	want := Gap{EventRef{4, schema.RoleOpen, schema.Enter}, EventRef{5, schema.RoleLookupRCU, schema.Enter}, 11_000}
	if calls[0].Gap != want || calls[1].Gap != want { // not the time from the open's entry to exec #8, 23 µs
		t.Errorf("the open's %v, the exec's %v, want %v", calls[0].Gap, calls[1].Gap, want)
	}
}

// If the exit of an inner open may be lost, the events that follow still are events of the exec around it.
func TestLongestTimeAroundALoss(t *testing.T) {
	m := NewModel(tracetest.Header())
	var gap Gap
	m.Call = func(c *PathCall) {
		if c.Operation == "exec" {
			gap = c.Gap
		}
	}
	id := uint64(0)
	at := func(now uint64, e schema.Event) {
		id++
		e.ID, e.Time, e.PID, e.TID, e.Comm = id, now, 7, 7, "p"
		e.Columns, e.NameLen = e.Role.Shape(e.Phase).Columns, uint32(len(e.Name))
		m.Record(&e)
	}
	at(1000, schema.Event{Role: schema.RoleExecve, Phase: schema.Enter})
	at(1100, opening("f", 0))
	at(1200, schema.Event{Role: schema.RoleOpen, Phase: schema.Exit, Dentry: ownAt, Inode: 5, Name: "f"})
	at(2000, opening("ld.so", 0))
	m.Record(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Role: schema.RoleOpen, Count: 1, FirstNs: 2500, LastNs: 2600})
	for now := uint64(3000); now <= 9000; now += 1000 {
		at(now, asking(schema.RoleLookupRCU, "f", 0))
	}
	at(50_000, schema.Event{Role: schema.RoleExecve, Phase: schema.Exit})
	if m.End(); gap.From.ID != 11 || gap.To.ID != 12 || gap.Took != 41_000 {
		t.Errorf("%v, want the time before the exit", gap)
	}
}

// With RESOLVE_IN_ROOT, / is the directory that the descriptor is open on, and not a root.
func TestRootOfADescriptor(t *testing.T) {
	for how, want := range map[uint32]string{schema.LookupInRoot: "…/f", 0: "/f"} {
		open := opening("/f", how)
		open.Start, open.DirFD = dirAt, 5
		ask := asking(schema.RoleLookupRCU, "f", 1)
		ask.Facts = schema.FactParentIsRoot
		root := about(schema.RoleLookupRCU, dirAt, 4, "/")
		calls, _ := played(open, root, ask, about(schema.RoleLookupRCU, ownAt, 5, "f"), about(schema.RoleOpen, ownAt, 5, "f"))
		if got := calls[0].Resolved; got != want {
			t.Errorf("how %#x: %s, want %s", how, got, want)
		}
	}
}

// RESOLVE_* have their names of openat2(2), by the kernel's old numbers and by the new ones.
func TestLimitsByEitherNumbers(t *testing.T) {
	for how, want := range map[uint32]string{1<<20 | 1<<21 | 1: "RESOLVE_IN_ROOT LOOKUP_CACHED", 1<<28 | 1<<9 | 1: "LOOKUP_CACHED RESOLVE_IN_ROOT", 3: ""} {
		calls, _ := played(opening("f", how))
		if got := strings.Join(calls[0].FlagNames(), " "); got != want {
			t.Errorf("%#x: %s, want %s", how, got, want)
		}
	}
}

// A link that was followed says after how long.
func TestFollowedAfter(t *testing.T) {
	link := about(schema.RoleLookupRCU, otherAt, 4, "l")
	target := asking(schema.RoleLookupRCU, "t", 1<<20)
	target.Parent = ownAt
	calls, _ := played(opening("l/f", 0), asking(schema.RoleLookupRCU, "l", 0), link, target, about(schema.RoleLookupRCU, ownAt+64, 5, "t"))
	if p := calls[0].Components[0]; !p.Link || p.Follow != 1000 {
		t.Errorf("%+v", p)
	}
}

// A process of which there is nothing but what it took from the cache, as reclaim does, is told apart.
func TestProcessesThatOnlyEndDentries(t *testing.T) {
	by := func(pid uint32, e schema.Event) schema.Event { e.PID, e.TID, e.Comm = pid, pid, "p"; return e }
	kill := schema.Event{Role: schema.RoleKill, Phase: schema.Enter, Dentry: ownAt, Name: "f", Parent: dirAt}
	drop := schema.Event{Role: schema.RoleDrop, Phase: schema.Enter, Dentry: ownAt, Name: "f", Parent: dirAt}
	_, tasks := played(by(5, drop), by(5, kill), by(6, kill), by(6, about(schema.RoleLookupRCU, otherAt, 5, "g")), by(6, schema.Event{Role: schema.RoleFork, Phase: schema.Enter, Child: 8}))
	for _, task := range tasks {
		if got, want := task.EndsOnly(), task.PID == 5; got != want {
			t.Errorf("process %d: %v", task.PID, got)
		}
	}
	if len(tasks) != 3 {
		t.Errorf("%d processes", len(tasks))
	}
}

// The flags of a rename are not those of its walks.
func TestLimitsOfARename(t *testing.T) {
	walk := opening("f", 1<<16)
	walk.Role = schema.RoleWalkParent
	calls, _ := played(schema.Event{Role: schema.RoleRename, Phase: schema.Enter, How: 3}, walk, schema.Event{Role: schema.RoleRename, Phase: schema.Exit})
	if got := calls[0].FlagNames(); !slices.Equal(got, []string{"RENAME_NOREPLACE", "RENAME_EXCHANGE"}) {
		t.Errorf("limits %v", got)
	}
}

// The result of a rename is the dentry that it moved, at its old place, whatever was at the new name.
func TestWhatARenameCameTo(t *testing.T) {
	walk := func(path string, addr uint64) []schema.Event {
		return []schema.Event{{Role: schema.RoleWalkParent, Phase: schema.Enter, Name: path, NameAddr: addr}, {Role: schema.RoleWalkParent, Phase: schema.Exit}}
	}
	asked := func(name string, addr, dentry, inode uint64) []schema.Event {
		return []schema.Event{{Role: schema.RoleLookup, Phase: schema.Enter, Name: name, NameAddr: addr, Parent: dirAt}, about(schema.RoleLookup, dentry, inode, name)}
	}
	begun := about(schema.RoleMove, ownAt, 5, "a")
	begun.Phase, begun.Target = schema.Enter, otherAt
	events := slices.Concat([]schema.Event{{Role: schema.RoleRename, Phase: schema.Enter}}, walk("a", pathAt), walk("b", pathAt+256),
		asked("a", pathAt, ownAt, 5), asked("b", pathAt+256, otherAt, 0),
		[]schema.Event{begun, about(schema.RoleMove, ownAt, 5, "b"), {Role: schema.RoleRename, Phase: schema.Exit}})
	calls, _ := played(events...)
	c := calls[0]
	if len(calls) != 1 || c.Dentry == nil || c.Dentry.Addr != ownAt || c.Inode != 5 || c.Path != "a" || c.Target != "b" {
		t.Errorf("%+v", c)
	}
	if c.Resolved != "…/a" || c.ResolvedTarget != "…/b" {
		t.Errorf("led from %s to %s", c.Resolved, c.ResolvedTarget)
	}
}

// What overlayfs looks up in the filesystem below by a dentry's own name is no component of the path and
// follows no link, and it is not the result of the rename, though it is moved first.
func TestWhatARenameOnOverlayfsCameTo(t *testing.T) {
	const nameAt, belowAt = 0xffff0000_2038, 0xffff0000_4000
	asked := func(name string, addr, dir, dentry uint64, fs string) []schema.Event {
		found := about(schema.RoleLookup, dentry, 5, name)
		found.Parent, found.NameAddr = dir, nameAt
		return []schema.Event{{Role: schema.RoleLookup, Phase: schema.Enter, Name: name, NameAddr: addr, Parent: dir, FSType: fs}, found}
	}
	moved := func(dentry uint64) []schema.Event {
		begun, over := about(schema.RoleMove, dentry, 5, "a"), about(schema.RoleMove, dentry, 5, "b")
		begun.Phase = schema.Enter
		return []schema.Event{begun, over}
	}
	walk := schema.Event{Role: schema.RoleWalkParent, Phase: schema.Enter, Name: "a", NameAddr: pathAt}
	calls, _ := played(slices.Concat([]schema.Event{{Role: schema.RoleRename, Phase: schema.Enter}, walk, {Role: schema.RoleWalkParent, Phase: schema.Exit}},
		asked("a", pathAt, dirAt, ownAt, "overlay"), asked("a", nameAt, otherAt, belowAt, "ext4"), moved(belowAt), moved(ownAt),
		[]schema.Event{{Role: schema.RoleRename, Phase: schema.Exit}})...)
	c := calls[0]
	if len(calls) != 1 || c.Dentry == nil || c.Dentry.Addr != ownAt || c.FSType != "overlay" || c.Resolved != "…/a" {
		t.Errorf("%+v", c)
	}
	if len(c.Components) != 1 || c.Components[0].Link {
		t.Errorf("components %+v", c.Components)
	}
}

// An open for execution belongs to the exec if an execve is recorded around it. If none is, it counts as an
// open, since the open of the interpreter would count as another exec.
func TestOpenToExecute(t *testing.T) {
	open := opening("f", 0)
	open.Flags = 0x20
	returned := schema.Event{Role: schema.RoleOpen, Phase: schema.Exit}
	calls, _ := played(open, returned, open, returned)
	if len(calls) != 2 || calls[0].Operation != "open" || calls[1].Operation != "open" {
		t.Errorf("%d calls, the first %s", len(calls), calls[0].Operation)
	}
	calls, _ = played(schema.Event{Role: schema.RoleExecve, Phase: schema.Enter}, open, returned, open, returned, schema.Event{Role: schema.RoleExecve, Phase: schema.Exit})
	if len(calls) != 2 || calls[0].Operation != "open" || calls[0].Outer != calls[1].ID || calls[1].Operation != "exec" {
		t.Errorf("%d calls, the first %s in #%d", len(calls), calls[0].Operation, calls[0].Outer)
	}
}

// A thread that executes a program becomes the first thread of its process, and its execve returns on that
// one. If both are in an execve, no exit is paired with either.
func TestExecOfAThread(t *testing.T) {
	by := func(tid uint32, e schema.Event) schema.Event {
		e.PID, e.TID = 7, tid
		return e
	}
	begins, runs := schema.Event{Role: schema.RoleExecve, Phase: schema.Enter}, schema.Event{Role: schema.RoleExec, Phase: schema.Enter, Name: "/f"}
	open, opened, returns := opening("/f", 0), schema.Event{Role: schema.RoleOpen, Phase: schema.Exit}, schema.Event{Role: schema.RoleExecve, Phase: schema.Exit}
	first := schema.Event{Role: schema.RoleChdir, Phase: schema.Enter}
	calls, _ := played(by(7, first), by(8, begins), by(8, open), by(8, opened), by(7, runs), by(7, returns), by(7, open), by(7, opened))
	i := slices.IndexFunc(calls, func(c *PathCall) bool { return c.Operation == "exec" })
	if len(calls) != 3 || i < 0 || calls[i].End != 6 || calls[i].TID != 8 || calls[i].Path != "/f" || calls[len(calls)-1].Outer != 0 {
		t.Errorf("%d calls, %+v", len(calls), calls[max(i, 0)])
	}
	calls, _ = played(by(7, begins), by(8, begins), by(7, runs), by(7, returns))
	if len(calls) != 2 || calls[0].End != 0 || calls[1].End != 0 {
		t.Errorf("of two in an execve one returned: %+v", calls)
	}
}

// A process has its threads, their names, and its cgroup; the cgroup of a child is not known.
func TestThreadsNamesAndCgroup(t *testing.T) {
	thread := schema.Event{Role: schema.RoleChdir, Phase: schema.Enter, PID: 7, TID: 8, Comm: "worker"}
	renamed := thread
	renamed.Comm = "pool"
	_, tasks := played(schema.Event{Role: schema.RoleExec, Phase: schema.Enter, Name: "/bin/p", Cgroup: "/a"}, thread, renamed, thread,
		schema.Event{Role: schema.RoleFork, Phase: schema.Enter, Child: 9}, schema.Event{Role: schema.RoleExit, Phase: schema.Enter, Cgroup: "/b"})
	i := slices.IndexFunc(tasks, func(t *Task) bool { return t.PID == 7 })
	j := slices.IndexFunc(tasks, func(t *Task) bool { return t.PID == 9 })
	if i < 0 || j < 0 {
		t.Fatalf("%d tasks", len(tasks))
	}
	p := tasks[i]
	if want := []ThreadName{{1, 7, "p"}, {2, 8, "worker"}, {3, 8, "pool"}, {4, 8, "worker"}}; !slices.Equal(p.Names, want) {
		t.Errorf("names %+v, want %+v", p.Names, want)
	}
	if !slices.Equal(p.Threads, []uint32{8}) || p.Cgroup != "/b" || tasks[j].Cgroup != "" || tasks[j].Parent != 7 {
		t.Errorf("%+v and %+v", p, tasks[j])
	}
}

// utimensat on a descriptor is no use of a path. If a walk may be missing, it may be one.
func TestAnOperationWithoutAPath(t *testing.T) {
	if calls, _ := played(schema.Event{Role: schema.RoleUtimes, Phase: schema.Enter}, schema.Event{Role: schema.RoleUtimes, Phase: schema.Exit}); len(calls) != 0 {
		t.Errorf("%+v", calls[0])
	}
	failed := schema.Event{Role: schema.RoleUtimes, Phase: schema.Exit, Ret: 1<<64 - 14}
	if calls, _ := played(schema.Event{Role: schema.RoleUtimes, Phase: schema.Enter}, failed); len(calls) != 1 {
		t.Errorf("of one that failed %d calls", len(calls))
	}
	m, told := NewModel(tracetest.Header()), 0
	m.Call = func(*PathCall) { told++ }
	m.Record(&schema.Event{ID: 1, Time: 1000, TID: 7, PID: 7, Role: schema.RoleUtimes, Phase: schema.Enter})
	m.Record(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Role: schema.RoleWalk, Count: 1, FirstNs: 1500, LastNs: 1600})
	m.Record(&schema.Event{ID: 2, Time: 2000, TID: 7, PID: 7, Role: schema.RoleUtimes, Phase: schema.Exit})
	if m.End(); told != 1 {
		t.Errorf("with a walk lost %d calls", told)
	}
}

// The second of two paths may be at the address of the first, as in linkat up to Linux 5.14: no walk has
// started over.
func TestSecondPathWhereTheFirstLay(t *testing.T) {
	walking := func(path string) schema.Event {
		return schema.Event{Role: schema.RoleWalk, Phase: schema.Enter, Name: path, NameAddr: pathAt}
	}
	parent := walking("d/b")
	parent.Role = schema.RoleWalkParent
	calls, _ := played(schema.Event{Role: schema.RoleLink, Phase: schema.Enter},
		walking("d/a"), asking(schema.RoleLookupRCU, "d", 0), about(schema.RoleLookupRCU, dirAt, 4, "d"),
		asking(schema.RoleLookupRCU, "a", 2), about(schema.RoleLookupRCU, ownAt, 5, "a"),
		schema.Event{Role: schema.RoleWalk, Phase: schema.Exit, Dentry: ownAt, Inode: 5, Name: "a"},
		parent, asking(schema.RoleLookupRCU, "d", 0), about(schema.RoleLookupRCU, dirAt, 4, "d"),
		schema.Event{Role: schema.RoleWalkParent, Phase: schema.Exit, Dentry: dirAt, Inode: 4, Name: "d"},
		schema.Event{Role: schema.RoleLink, Phase: schema.Exit})
	var names []string
	for _, p := range calls[0].Components {
		names = append(names, p.Name)
	}
	same, _ := played(schema.Event{Role: schema.RoleLink, Phase: schema.Enter},
		walking("d"), asking(schema.RoleLookupRCU, "d", 0), about(schema.RoleLookupRCU, dirAt, 4, "d"), schema.Event{Role: schema.RoleWalk, Phase: schema.Exit, Dentry: dirAt, Inode: 4, Name: "d"},
		schema.Event{Role: schema.RoleWalkParent, Phase: schema.Enter, Name: "d", NameAddr: pathAt}, schema.Event{Role: schema.RoleWalkParent, Phase: schema.Exit, Dentry: otherAt, Inode: 2},
		schema.Event{Role: schema.RoleLink, Phase: schema.Exit, Ret: ^uint64(16)})
	if c := same[0]; c.Restarts != 0 || c.Target != "d" {
		t.Errorf("of one name twice: %d restarts, target %q", c.Restarts, c.Target)
	}
	if c := calls[0]; c.Restarts != 0 || strings.Join(names, " ") != "d a d" || c.Class != ClassRCU {
		t.Errorf("%d restarts, components %q, class %s", c.Restarts, names, c.Class)
	}
}

// A name that another task had inserted by the time d_alloc_parallel looked again was in the cache: nobody was
// waited for, and no filesystem asked.
func TestFoundAfterTheAlloc(t *testing.T) {
	calls, _ := played(opening("f", 0), asking(schema.RoleLookupRCU, "f", 0), about(schema.RoleLookupRCU, 0, 0, ""),
		asking(schema.RoleAlloc, "f", 0), about(schema.RoleAlloc, ownAt, 0, "f"),
		asking(schema.RoleLookupRCU, "f", 0), about(schema.RoleLookupRCU, otherAt, 5, "f"), about(schema.RoleParallel, otherAt, 5, "f"),
		schema.Event{Role: schema.RoleOpen, Phase: schema.Exit, Dentry: otherAt, Inode: 5, Name: "f"})
	c := calls[0]
	if p := c.Components[0]; p.Found != FoundRef || p.Wait != 0 || p.ID != 6 || p.Dentry.Addr != otherAt || p.Path != "" {
		t.Errorf("%+v", p)
	}
	if c.Class != ClassRef || c.Wait != 0 || c.Allocs != 1 {
		t.Errorf("class %s, waited %d ns, %d allocs", c.Class, c.Wait, c.Allocs)
	}
}
