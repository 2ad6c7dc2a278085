// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// The verdicts are the same whether or not anything else is kept.
func TestBareVerdicts(t *testing.T) {
	for name, trace := range manyTraces(t) {
		for _, without := range []replay.Roles{0, replay.RolesOf(schema.RoleInsert), replay.RolesOf(schema.RoleKill, schema.RoleLookupChain)} {
			if bare, kept := verdictsOf(t, trace, Options{Bare: true, Without: without}), verdictsOf(t, trace, Options{Without: without}); !bytes.Equal(bare, kept) {
				t.Errorf("%s without %s: verdicts that are not those where all is kept", name, without.String())
			}
		}
	}
}

// Nothing is kept if only the verdicts are asked for.
func TestBareKeepsNothing(t *testing.T) {
	r := tracetest.Read(t, fileOf(t, everyKind))
	defer r.Close()
	f, err := Judge(r, Options{Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Programs {
		if len(p.Items) > 0 || len(p.Claims) > 0 {
			t.Errorf("%s: %d calls and %d claims are kept", p.Comm, len(p.Items), len(p.Claims))
		}
	}
}

// verdictsOf returns what dtrec check prints of a trace, as text and as JSON.
func verdictsOf(t *testing.T, trace []byte, o Options) []byte {
	t.Helper()
	r := tracetest.Read(t, trace)
	defer r.Close()
	f, err := Judge(r, o)
	if err != nil {
		t.Fatal(err)
	}
	v := f.Verdicts()
	var said bytes.Buffer
	if err := v.WriteText(&said); err != nil {
		t.Fatal(err)
	}
	if err := v.WriteJSON(&said); err != nil {
		t.Fatal(err)
	}
	return said.Bytes()
}
