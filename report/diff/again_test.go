// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/dtrec/dtrec/schema/tracetest"
)

// A call that is read again from the middle of the file has the same digest as when it was read from the
// beginning.
func TestReadAgainIsTheSame(t *testing.T) {
	if size := unsafe.Sizeof(digest{}); size != 48 {
		t.Errorf("%d bytes of a call are kept", size)
	}
	files := maps.Collect(tracetest.Files(t, "../../traces/*.pb"))
	files["a scene"] = record(t, here(), 1, randomScene(rand.New(rand.NewPCG(5, 5)), 6000))
	for name, file := range files {
		in := input(t, name, file)
		d := newRun(in, in.Header(), maphash.MakeSeed())
		if err := d.read(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for comm, list := range d.calls {
			for step := 1; step <= 7; step += 6 { // all calls, then every seventh
				var wanted []*digest
				for i := 0; i < list.n; i += step {
					wanted = append(wanted, list.at(i))
				}
				calls, err := d.again(wanted)
				if err != nil {
					t.Fatal(name, err)
				}
				for _, b := range wanted {
					c := calls[b.first]
					if c == nil {
						t.Fatalf("%s: #%d-#%d of %s is not there", name, b.first, b.span().Last, comm)
					}
					c.sum(d.names.seed)
					if c.digest != *b {
						t.Errorf("%s: %s: %+v, want %+v", name, title(c, c), c.digest, b)
					}
					n++
				}
			}
		}
		if n == 0 {
			t.Errorf("%s: no calls", name)
		}
	}
}
