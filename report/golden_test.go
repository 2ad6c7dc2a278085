// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/golden"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// The output for the committed traces, and for the recordings that reach each reason, has not changed. A
// change must be intended, and its commit says why. DTREC_UPDATE=1 writes the hashes anew.
func TestOutputsAreWhatTheyWere(t *testing.T) {
	var got strings.Builder
	for trace, b := range tracetest.Files(t, "../traces/*.pb", "../test/format1/*.pb", "../test/cases/*.pb", "testdata/*.pb", "testdata/contradictions/*.pb") {
		addHashes(t, &got, strings.TrimPrefix(filepath.ToSlash(trace), "../"), b)
	}
	for _, c := range cellCases() {
		addHashes(t, &got, "case: "+c.kind.String()+", "+c.name, fileOf(t, c.play))
	}
	addHashes(t, &got, "case: every kind", fileOf(t, everyKind))
	golden.Lines(t, "testdata/golden.txt", got.String())
}

// addHashes adds the hashes of the outputs for a trace, one per line.
func addHashes(t *testing.T, to io.Writer, name string, trace []byte) {
	t.Helper()
	add := func(output string, print func(io.Writer) error) {
		h := sha256.New()
		if err := print(h); err != nil {
			t.Fatal(name, output, err)
		}
		fmt.Fprintf(to, "%x %s: %s\n", h.Sum(nil)[:6], name, output)
	}
	f := collect(t, trace)
	v := f.Verdicts()
	add("page", func(w io.Writer) error { return Markdown(w, f, PageOptions{ExplainHash: true}) })
	add("verdicts", v.WriteText)
	if add("verdicts as JSON", v.WriteJSON); strings.HasPrefix(name, "case:") {
		return // they are small and there are many
	}
	add("without each role", func(w io.Writer) error {
		for role := schema.RoleOpen; role <= schema.RoleCall; role++ { // the roles of the committed traces
			if err := printWithout(w, trace, role); err != nil {
				return err
			}
		}
		return nil
	})
}

func printWithout(w io.Writer, trace []byte, role schema.Role) error {
	r, err := schema.NewReader(bytes.NewReader(trace), 0)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := Judge(r, Options{Without: replay.RolesOf(role)})
	if err != nil {
		return err
	}
	v := f.Verdicts()
	if err := v.WriteText(w); err != nil {
		return err
	}
	return Markdown(w, f, PageOptions{})
}

// fileOf returns the trace that a tape writes.
func fileOf(t *testing.T, play func(*tape)) []byte {
	t.Helper()
	r := &tape{t: t, now: 1e9, tid: 100, comm: "prog", header: tracetest.Header()}
	play(r)
	r.flush()
	if err := r.w.Close(&schema.Footer{}); err != nil {
		t.Fatal(err)
	}
	return r.file.Bytes()
}
