// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// Traces that make no sense can be compared too: nothing panics, every renderer prints something, and a run
// agrees with itself.
func TestWildTraces(t *testing.T) {
	ops := randomScene(rand.New(rand.NewPCG(9, 9)), 120)
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		h := here().Header()
		for _, p := range h.Probe {
			p.Attached = r.IntN(30) != 0
		}
		wild := copied(t, record(t, here(), seed, ops), h, func(w *schema.Writer, e *schema.Event) error {
			switch r.IntN(40) {
			case 0:
				return nil
			case 1:
				if err := w.Append(e); err != nil {
					return err
				}
			case 2:
				e.TID, e.PID = uint32(r.IntN(5)), uint32(r.IntN(3))
			case 3:
				e.Dentry, e.Parent = e.Dentry+uint64(r.IntN(3))*192, e.Parent-uint64(r.IntN(2))*192
			case 4:
				e.Comm, e.Name = strings.Repeat("c", r.IntN(3)), e.Name[:len(e.Name)/2]
			case 5:
				info, _ := schema.Role(1 + r.IntN(17)).Info()
				if info.Enter != nil {
					e.Role, e.Phase, e.Columns = info.Role, schema.Enter, info.Enter.Columns
				} else {
					e.Role, e.Phase, e.Columns = info.Role, schema.Exit, info.Exit.Columns
				}
			case 6:
				e.Time -= min(e.Time, uint64(r.IntN(100_000)))
			case 7:
				return w.Loss(&schema.Loss{Cause: schema.LossCause(r.IntN(6)), Role: e.Role, Count: 1, FirstNs: e.Time, LastNs: e.Time + uint64(r.IntN(1e6))})
			}
			return w.Append(e)
		}, &schema.Footer{EndedBy: "command"})
		if d := compare(t, wild, wild); d.Count() != 0 {
			t.Fatalf("seed %d: differs from itself\n%s", seed, text(t, d))
		}
		for _, d := range []*Result{compare(t, wild, record(t, there(), seed, ops)), compare(t, record(t, there(), seed, ops), wild)} {
			var out strings.Builder
			if err := d.WriteMarkdown(&out); err != nil {
				t.Fatal(err)
			}
			if err := d.WriteJSON(&out); err != nil {
				t.Fatal(err)
			}
			if len(text(t, d)) == 0 || out.Len() == 0 {
				t.Fatalf("seed %d: nothing to say", seed)
			}
		}
	}
}
