// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// A run read without a role is judged like one recorded without it, and every claim that is lost is
// accounted for.
func TestWithoutARole(t *testing.T) {
	whole := tapedBytes(t, func(*schema.Header) {}, func(schema.Role) bool { return true })
	full := collect(t, whole)
	for _, info := range schema.Catalogue() {
		role := info.Role
		poor := collect(t, tapedBytes(t, func(h *schema.Header) {
			for _, p := range h.Probe {
				p.Attached = p.Attached && p.Role != role
			}
		}, func(r schema.Role) bool { return r != role }))
		r, err := schema.NewReader(bytes.NewReader(whole), 0)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Judge(r, Options{Without: replay.RolesOf(role)})
		if r.Close(); err != nil {
			t.Fatal(err)
		}
		if f.Tally != poor.Tally {
			t.Errorf("without %s: %v, recorded without it: %v", info.Name, f.Tally, poor.Tally)
		}
		for _, info := range Kinds() {
			k := info.Kind
			i := slices.IndexFunc(f.Ablations, func(fall Ablation) bool { return fall.Program == "" && fall.Kind == k.String() })
			with, without := full.Tally[k][Proven], poor.Tally[k][Proven]
			if i < 0 && with != without || i >= 0 && (f.Ablations[i].With != with || f.Ablations[i].Without != without || f.Ablations[i].Missed == "") {
				t.Errorf("without %s: %s falls from %d to %d, told %v", info.Name, k, with, without, f.Ablations)
			}
		}
	}
}

// In recordings of real programs, every kind that loses a claim without a role says that it needs the role.
func TestKindsNameWhatTheyNeed(t *testing.T) {
	t.Parallel()
	for file, data := range tracetest.Files(t, "../traces/*.pb", "../test/git.pb") {
		judged := func(roles ...schema.Role) *Findings {
			r, err := schema.NewReader(bytes.NewReader(data), 0)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Judge(r, Options{Without: replay.RolesOf(roles...), Bare: true})
			if r.Close(); err != nil {
				t.Fatal(err)
			}
			return f
		}
		full := judged()
		for _, info := range schema.Catalogue() {
			if !full.Attached.Has(info.Role) {
				continue
			}
			f := judged(info.Role)
			for _, k := range Kinds() {
				if with, without := full.Tally[k.Kind][Proven], f.Tally[k.Kind][Proven]; without < with && !(k.Needs | k.Some | k.Of).Has(info.Role) {
					t.Errorf("%s: without %s %s falls from %d to %d, and does not say so", file, info.Name, k.Name, with, without)
				}
			}
		}
	}
}

// tapedBytes returns everyKind as a file, with only the events of the roles that keep accepts.
func tapedBytes(t *testing.T, header func(*schema.Header), keep func(schema.Role) bool) []byte {
	t.Helper()
	r := &tape{t: t, now: 1e9, tid: 100, comm: "prog", header: tracetest.Header(), keep: keep}
	header(r.header)
	everyKind(r)
	if err := r.writer().Close(&schema.Footer{}); err != nil {
		t.Fatal(err)
	}
	return r.file.Bytes()
}

func TestWhatFellIsSaid(t *testing.T) {
	r, err := schema.NewReader(bytes.NewReader(tapedBytes(t, func(*schema.Header) {}, func(schema.Role) bool { return true })), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := Judge(r, Options{Without: replay.RolesOf(schema.RoleInsert)})
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{
		"equality": "probe not attached: insert",
		"bucket":   "probe not attached: insert; 1 claim not made without those events",
	} {
		if i := slices.IndexFunc(f.Ablations, func(fall Ablation) bool { return fall.Program == "prog" && fall.Kind == kind }); i < 0 || f.Ablations[i].Missed != want {
			t.Errorf("%s: %s, want %q", kind, fmt.Sprint(f.Ablations), want)
		}
	}
}
