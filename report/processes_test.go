// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Sixty processes of one name are not shown as one pid, and a process with a reused id is another process.
func TestProcessesOfOneNameAreCounted(t *testing.T) {
	m := &memory{header: tracetest.Header()}
	k := tracetest.NewKernel(1, m.append)
	for pid := range uint32(60) {
		k.Task(100+pid%59, "mkdir")
		k.Open(true, "usr", "f")
		k.Exit(uint64(pid/59) << 8)
		k.Task(1, "sh")
		k.Fork(100 + (pid+1)%59)
	}
	m.records = append(m.records, &schema.Footer{})
	page, r := m.read(t, 0)
	r.hold(t, page)
	if want := "60 processes, opens: 60, failed: 0; ended: exit code 0 (59), exit code 1 (1)."; !slices.Contains(page, want) {
		t.Errorf("the page has no line %q", want)
	}
}

// If there are more processes than can be counted, the text says "at least".
func TestProcessesWithoutEndAreAtLeastSoMany(t *testing.T) {
	c := processCounts{of: make(map[string]*sameName), births: make(map[uint32]uint32)}
	for pid := range uint32(maxMembers + 10) {
		c.see(&schema.Event{Comm: "a", PID: pid + 1})
	}
	p := Program{Processes: len(c.of["a"].members), MoreProcesses: c.full}
	if got := p.processesText(); got != "at least 131071 processes" {
		t.Error(got)
	}
}

// The open of an interpreter does not belong to the exec, however many execs other threads make meanwhile.
func TestExecsAreCountedOnce(t *testing.T) {
	m := &memory{header: tracetest.Header()}
	id := uint64(0)
	add := func(tid uint32, role schema.Role, phase schema.Phase) {
		id++
		e := &schema.Event{ID: id, Time: id * 1000, PID: tid, TID: tid, Comm: "sh", Role: role, Phase: phase, Columns: role.Shape(phase).Columns}
		if role == schema.RoleOpen && phase == schema.Enter {
			e.Name, e.NameLen, e.NameAddr, e.Flags = "/f", 2, 0x1000, 0x20 // __FMODE_EXEC
		}
		m.append(e)
	}
	opens := func(tid uint32) {
		add(tid, schema.RoleOpen, schema.Enter)
		add(tid, schema.RoleOpen, schema.Exit)
	}
	add(1, schema.RoleExecve, schema.Enter)
	opens(1)
	for tid := range uint32(maxExecs + 10) {
		add(tid+2, schema.RoleExecve, schema.Enter)
		opens(tid + 2)
		add(tid+2, schema.RoleExecve, schema.Exit)
	}
	opens(1)
	add(1, schema.RoleExecve, schema.Exit)
	c := newCollector(m.header, Options{Beside: alone{replay.New(m.header)}})
	for _, rec := range m.records {
		c.record(rec)
	}
	if p := c.programs["sh"]; p.execs != maxExecs+11 || p.Opens != maxExecs+12 {
		t.Errorf("%d opens, %d of them of execs", p.Opens, p.execs)
	}
}
