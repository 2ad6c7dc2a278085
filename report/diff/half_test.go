// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// A recording whose leaf calls are one event each is the same run as the one whose leaf calls have an entry
// and an exit; a note says which file has which form.
func TestLeavesAreTheSame(t *testing.T) {
	old, err := os.ReadFile("../../test/format1/run1.pb")
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := tracetest.JoinLeaves(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2][]byte{{old, leaves}, {leaves, old}} {
		r := compare(t, pair[0], pair[1])
		if r.Verdict() != Same {
			t.Error(text(t, r))
		}
		if !strings.Contains(text(t, r), "has an entry and an exit of __d_lookup, __d_lookup_rcu, __d_alloc where the other run has one event") {
			t.Error(text(t, r))
		}
		for _, l := range r.Latency {
			if l.Role == "alloc" || l.Role == "lookup_rcu" {
				t.Errorf("a time of %s is compared: %+v", l.Role, l)
			}
		}
	}
}

// A trace of an older recorder, which wrote less, is the same run on the same kernel. What it did not write
// is left out, with a note.
func TestAnOlderRecorderIsNoDifference(t *testing.T) {
	var runs [2][]byte
	for i, name := range []string{"../../test/format1/run1.pb", "../../traces/run1.pb"} {
		var err error
		if runs[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	r := compare(t, runs[0], runs[1])
	said := text(t, r)
	if r.Verdict() != Same || r.Same != 185 || !strings.Contains(said, "has no claim of kind start, perhaps because its recorder did not write what the claim needs: left out") {
		t.Error(said)
	}
}

// If the recorder wrote the column and the run still has no claim of the kind, the runs differ.
func TestNoClaimOfAKindIsADifference(t *testing.T) {
	run, err := os.ReadFile("../../traces/run1.pb")
	if err != nil {
		t.Fatal(err)
	}
	r := compare(t, run, nowhereFrom(t, run))
	if said := text(t, r); r.Verdict() != Different || !strings.Contains(said, "-claim start: proven") || strings.Contains(said, "no claim of kind") {
		t.Error(said)
	}
}

// nowhereFrom returns a trace without the directories from which walks start.
func nowhereFrom(t *testing.T, trace []byte) []byte {
	t.Helper()
	in := tracetest.Read(t, trace)
	var out bytes.Buffer
	w, err := schema.NewWriter(&out, in.Header())
	for err == nil {
		var rec schema.Record
		if rec, err = in.Next(); err != nil {
			break
		}
		switch r := rec.(type) {
		case *schema.Event:
			e := *r
			e.Start = 0
			err = w.Append(&e)
		case *schema.Program:
			err = w.Program(r)
		case *schema.Footer:
			err = w.Close(&schema.Footer{EndNs: r.EndNs, EndedBy: r.EndedBy, ExitCode: r.ExitCode})
		}
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	return out.Bytes()
}
