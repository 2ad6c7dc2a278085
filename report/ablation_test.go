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

// A run read without a role is judged as one recorded without it, and every claim
// that fell is accounted for.
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

// tapedBytes is everyKind as a file, with the events of the roles that keep accepts.
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
		"bucket":   "probe not attached: insert; 1 have no event to stand on",
	} {
		if i := slices.IndexFunc(f.Ablations, func(fall Ablation) bool { return fall.Program == "prog" && fall.Kind == kind }); i < 0 || f.Ablations[i].Missed != want {
			t.Errorf("%s: %s, want %q", kind, fmt.Sprint(f.Ablations), want)
		}
	}
}
