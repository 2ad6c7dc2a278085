// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Sixty processes of one name are no single pid, and an id that comes again is another.
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

// More than can be counted are at least so many.
func TestProcessesWithoutEndAreAtLeastSoMany(t *testing.T) {
	c := newProcessCounts()
	for pid := range uint32(maxMembers + 10) {
		c.see(&schema.Event{Comm: "a", PID: pid + 1})
	}
	p := Program{Processes: len(c.of["a"].members), MoreProcesses: c.full}
	if got := p.processesText(); got != "at least 131071 processes" {
		t.Error(got)
	}
}
