// SPDX-License-Identifier: Apache-2.0

package html

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// A file whose name looks like a dentry, an event or a process id is found by that name, as by dtrec show.
func TestPageFindsNamesThatReadAsSomethingElse(t *testing.T) {
	names := []string{"D99", "0xff46d3dbc15ccf00", "#99", "99"}
	trace, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		for _, name := range names {
			for _, phase := range []schema.Phase{schema.Enter, schema.Exit} {
				emit(&schema.Event{Time: 1, PID: 1, TID: 1, Comm: "cat", Role: schema.RoleOpen, Phase: phase, Columns: schema.RoleOpen.Shape(phase).Columns, Name: name, NameLen: uint32(len(name)), NameAddr: 0x1000})
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := browser(t)
	visit(t, ctx, "names", trace)
	for _, name := range names {
		search(t, ctx, name)
		if got := eval[string](t, ctx, `document.getElementById("details").innerText`); !strings.Contains(got, "1 call") || !strings.Contains(got, "open "+name) {
			t.Errorf("%s: %.300q", name, got)
		}
	}
}
