// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Each number on a page, and each word about everything (see universal), is checked against an independent
// count.
func TestEverySentenceHolds(t *testing.T) {
	traces := wholeTraces(t)
	for file := range tracetest.Files(t, "../test/cases/*.pb", "testdata/*.pb") {
		traces[filepath.Base(file)] = inMemory(t, file)
	}
	for name, m := range traces {
		t.Run(name, func(t *testing.T) { m.hold(t) })
	}
}

// Random runs, with many programs, reused process ids, opens without an end, more of everything than a page
// keeps, and losses.
func TestEverySentenceHoldsOfRandomRuns(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomRun(seed).hold(t) })
	}
}

func randomRun(seed uint64) *memory {
	machine := tracetest.Machine{Unlink: true}
	m := &memory{header: machine.Header()}
	rng := rand.New(rand.NewPCG(seed, 10))
	at := uint64(0)
	k := machine.NewKernel(seed, func(e *schema.Event) { at = e.Time; m.append(e) })
	programs, names, lost := 1+rng.IntN(90), 1+rng.IntN(40), uint64(0)
	for range 100 + rng.IntN(900) {
		pid := 100 + uint32(rng.IntN(3*programs))
		comm := fmt.Sprintf("p%d", pid%uint32(programs))
		k.Task(pid, comm)
		path := []string{"usr", fmt.Sprintf("d%d", rng.IntN(3)), fmt.Sprintf("f%d", rng.IntN(names))}
		switch rng.IntN(24) {
		case 0:
			k.Exit(uint64(rng.IntN(3) << 8))
		case 1:
			k.Fork(100 + uint32(rng.IntN(3*programs)))
		case 2:
			k.DropCaches()
		case 3, 4:
			k.Create(path...)
		case 5, 6, 7:
			k.Remove(path...)
		case 8:
			if lost += 7; seed%3 == 0 {
				m.records = append(m.records, &schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Role: schema.RoleAlloc, Count: 7, FirstNs: at + 1, LastNs: at + 2})
			}
		default:
			k.Open(rng.IntN(3) > 0, path...)
		}
	}
	if seed%3 != 0 {
		lost = 0
	}
	m.records = append(m.records, &schema.Footer{Lost: lost})
	return m
}

// A number that is off by one is noticed.
func TestAWrongNumberIsFound(t *testing.T) {
	for _, name := range []string{"../test/cases/exec.pb", "../test/cases/sofirst.pb"} {
		inMemory(t, name).spoil(t)
	}
}

// The page of a run as if a role had not been recorded, and what the page of the whole run says about that.
func TestEverySentenceHoldsWithoutARole(t *testing.T) {
	m := inMemory(t, "../traces/run1.pb")
	_, whole := m.read(t, 0)
	for _, info := range schema.Catalogue() {
		t.Run(info.Name, func(t *testing.T) {
			page, r := m.read(t, replay.RolesOf(info.Role))
			r.whole = whole.truth
			r.hold(t, page)
			needed := 0
			for _, k := range Kinds() {
				if k.Needs.Has(info.Role) {
					needed += whole.proven(k.Name)
				}
			}
			if fell := whole.total("proven") - r.total("proven"); fell < needed {
				t.Errorf("%d proven claims fall, and the page says at least %d", fell, needed)
			}
		})
	}
}

// hold renders the page of a trace and checks each of its sentences.
func (m *memory) hold(t *testing.T) {
	t.Helper()
	page, r := m.read(t, 0)
	r.hold(t, page)
}

func (r *reader) hold(t *testing.T, page []string) {
	t.Helper()
	bad := 0
	defer func() {
		if !r.sectionEnds() {
			t.Errorf("the last section has %d opens", len(r.listed))
		}
	}()
	for i, l := range page {
		for _, w := range r.line(l) {
			if bad++; bad < 20 {
				t.Errorf("line %d: %s\n\t%s", i+1, w, l)
			}
		}
	}
}

// read renders the page of a trace as if some roles had not been recorded, and gathers what the page is
// checked against.
func (m *memory) read(t *testing.T, without replay.Roles) (page []string, r *reader) {
	t.Helper()
	poor := &memory{header: replay.WithoutRoles(m.header, without)}
	for _, rec := range m.records {
		if e, ok := rec.(*schema.Event); !ok || !without.Has(e.Role) {
			poor.records = append(poor.records, rec)
		}
	}
	x := tell(poor.records, poor.header)
	if _, err := Judge(poor, Options{Each: x.claim}); err != nil {
		t.Fatal(err)
	}
	f, err := Judge(m, Options{})
	if without != 0 {
		f, err = Judge(m, Options{Without: without})
	}
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Markdown(&out, f, PageOptions{}); err != nil {
		t.Fatal(err)
	}
	return strings.Split(out.String(), "\n"), &reader{truth: x, others: callsOf(poor.records)}
}

// spoil adds one to each number of the page in turn, except those in names, times and layout, and checks
// that nearly all of these changes are noticed.
func (m *memory) spoil(t *testing.T) {
	t.Helper()
	page, r := m.read(t, 0)
	spoiled, found := 0, 0
	for _, l := range page {
		before := *r
		wrong := r.line(l)
		after := *r
		if len(wrong) > 0 || r.fence != "" || r.title == "Why These Probes" || r.title == "Man Pages Used (parts)" {
			continue
		}
		for _, at := range number.FindAllStringIndex(l, -1) {
			if strings.Count(l[:at[0]], "`")%2 != 0 || at[0] > 0 && strings.ContainsAny(l[at[0]-1:at[0]], "`_/.abcdefghijklmnopqrstuvwxyz") {
				continue
			}
			n := l[at[0]:at[1]]
			more := strconv.FormatUint(parse(n)+1, 10)
			if strings.HasPrefix(n, "0x") {
				more = fmt.Sprintf("%#x", parse(n)+1)
			}
			*r = before
			spoiled++
			if len(r.line(l[:at[0]]+more+l[at[1]:])) > 0 {
				found++
			} else {
				t.Logf("not found: %s for %s in %s", more, n, l)
			}
		}
		*r = after
	}
	if t.Logf("%d of %d spoiled numbers are found", found, spoiled); found < spoiled*95/100 {
		t.Errorf("%d of %d spoiled numbers are found", found, spoiled)
	}
}
