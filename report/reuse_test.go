// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// The memory of a freed dentry may be reused for another one without any effect on the claims, including
// those on dentries that were evicted, deleted, linked, moved or raced for long before.
func TestReusedDentriesChangeNothing(t *testing.T) {
	for name, trace := range manyTraces(t) {
		if again, made := judgedAll(t, trace, true), judgedAll(t, trace, false); !bytes.Equal(again, made) {
			t.Errorf("%s: what is judged with dentries used again is not what is with new ones", name)
		}
	}
}

// judgedAll returns everything that is said about a trace: the page, the verdicts, and every claim. With
// again, the memory of dentries is reused.
func judgedAll(t *testing.T, trace []byte, again bool) []byte {
	t.Helper()
	r := tracetest.Read(t, trace)
	defer r.Close()
	var said bytes.Buffer
	o := Options{Each: func(cl *Claim) {
		fmt.Fprintln(&said, cl.Kind, cl.Reason(), cl.Subject, cl.Object, cl.Other, cl.Terms, cl.Means, cl.Note)
		if cl.Verdict == Proven {
			fmt.Fprintln(&said, cl.Says(replay.Printable))
		}
	}}
	if !again {
		o.Beside = alone{replay.New(r.Header())}
	}
	f, err := Judge(r, o)
	if err != nil {
		t.Fatal(err)
	}
	v := f.Verdicts()
	if err := Markdown(&said, f, PageOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := v.WriteText(&said); err != nil {
		t.Fatal(err)
	}
	return said.Bytes()
}

// manyTraces returns the committed traces, one with every kind of claim, and a generated one, by name.
func manyTraces(t *testing.T) map[string][]byte {
	t.Helper()
	traces := map[string][]byte{"every kind": fileOf(t, everyKind), "generated": generate(t, 200_000)}
	for file, b := range tracetest.Files(t, "../traces/*.pb", "../test/*.pb", "../test/cases/*.pb", "../test/random/*.pb", "testdata/*.pb") {
		traces[file] = b
	}
	return traces
}
