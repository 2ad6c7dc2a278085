// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Every claim on the life of a dentry is in doubt if the dentry was forgotten.
func TestAForgottenDentryIsInDoubt(t *testing.T) {
	r := &tape{t: t, now: 1e9, tid: 100, comm: "prog", header: tracetest.Header()}
	everyKind(r)
	r.flush()
	in, err := schema.NewReader(bytes.NewReader(r.file.Bytes()), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c := newCollector(in.Header(), Options{Beside: alone{replay.New(in.Header())}})
	doubted := make(map[Kind]bool)
	c.Each = func(cl *Claim) { doubted[cl.Kind] = doubted[cl.Kind] || cl.Why == Forgotten }
	for {
		rec, err := in.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		c.record(rec)
		c.state.Objects.EachLive(func(d *replay.Object) { d.Forgotten = true })
	}
	c.finish()
	for _, k := range Kinds() {
		if want := slices.Contains(k.Reasons, Forgotten); doubted[k.Kind] != want {
			t.Errorf("%s: in doubt %v, want %v", k.Name, doubted[k.Kind], want)
		}
	}
}
