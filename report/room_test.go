// SPDX-License-Identifier: Apache-2.0

package report

import (
	"io"
	"testing"

	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// A program's section takes no more than the room it has, or than what no section leaves out. So no program
// goes without a section because its calls or claims took the room.
func TestASectionFitsItsRoom(t *testing.T) {
	f, err := Judge(tracetest.Open(t, "../test/git.pb"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	folds, claims := 0, 0
	for _, brief := range []bool{false, true} {
		p := &page{Writer: md.NewWriter(io.Discard), PageOptions: PageOptions{Brief: brief}, f: f, looks: looking(allKinds())}
		for n, prog := range f.sections() {
			for room := 2_000; room < 40_000; room += 500 {
				p.room = room
				size := p.measure(func() { p.program(prog, n+1) })
				if least := p.measure(func() { p.section(prog, n+1, nil, 0) }); size > max(room, least+100) {
					t.Errorf("brief %v: %s has %d bytes in a room of %d, and %d without calls and claims", brief, prog.Comm, size, room, least)
				}
				if chosen := p.chosen(prog, room-p.restOf(prog, n+1, room)); len(chosen) > 0 {
					folds++
				}
			}
			claims = max(claims, len(prog.Claims))
		}
	}
	if folds == 0 || claims < 10 {
		t.Errorf("%d sections with calls, %d claims across opens at most", folds, claims)
	}
}
