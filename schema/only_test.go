// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// batchOf is the number of events in a batch of mixed.
const batchOf = 50

// mixed returns a trace of tasks that take turns. In one batch of eight a time runs backwards, and there
// are some losses.
func mixed(t *testing.T, n int) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	var b bytes.Buffer
	w, err := schema.NewWriter(&b, tracetest.Header())
	if err != nil {
		t.Fatal(err)
	}
	task := uint32(0)
	tracetest.Generate(n, func(e *schema.Event) {
		if rng.IntN(6) == 0 {
			task = rng.Uint32N(3)
		}
		e = new(*e)
		e.TID += task
		if rng.IntN(8*batchOf) == 0 {
			e.Time -= 1 << 20
		}
		if err == nil {
			err = w.Append(e)
		}
		if id := w.Events(); err == nil && id%batchOf == 0 {
			if err = w.Flush(); err == nil && rng.IntN(5) == 0 {
				err = w.Loss(&schema.Loss{Cause: schema.LossRingBuffer, Count: id, FirstNs: e.Time, LastNs: e.Time})
			}
		}
	})
	if err == nil {
		err = w.Close(&schema.Footer{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// records returns what a reader with so many CPUs says about a file, each record as text, and the events.
func records(file []byte, processors int, wanted func(schema.Role) bool) (said []string, events []*schema.Event) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	r, err := schema.NewReader(bytes.NewReader(file), 0)
	if err != nil {
		return []string{err.Error()}, []*schema.Event{nil}
	}
	defer r.Close()
	if wanted != nil {
		r.Only(wanted)
	}
	for {
		rec, err := r.Next()
		if err != nil {
			return append(said, err.Error()), append(events, nil)
		}
		text, e := fmt.Sprintf("%T %+v", rec, rec), (*schema.Event)(nil)
		if event, ok := rec.(*schema.Event); ok {
			e = new(*event)
			if text = fmt.Sprintf("%+v", *e); event.Entry != nil {
				text = fmt.Sprintf("%+v of %+v", *event.Entry, strings.ReplaceAll(text, fmt.Sprintf("%p", event.Entry), ""))
			}
		}
		said, events = append(said, text), append(events, e)
	}
}

// Events of other roles are skipped unless only they show who ran when; those returned are the same as
// without Only.
func TestOnlySomeRoles(t *testing.T) {
	file := mixed(t, 4000)
	wanted := func(r schema.Role) bool { return r == schema.RoleOpen || r == schema.RoleInsert }
	all, events := records(file, 1, nil)
	backwards := make(map[uint64]bool) // batches
	for i, e := range events {
		if i > 0 && e != nil && events[i-1] != nil && e.Time < events[i-1].Time && (e.ID-1)%batchOf > 0 {
			backwards[(e.ID-1)/batchOf] = true
		}
	}
	var want []string
	last := uint64(4000)
	for i, e := range events {
		if e == nil || wanted(e.Role) || e.ID%batchOf < 2 || e.ID == last || backwards[(e.ID-1)/batchOf] || e.TID != events[i-1].TID {
			want = append(want, all[i])
		}
	}
	if len(backwards) == 0 || len(want) > len(all)*2/3 {
		t.Fatalf("%d batches run backwards, %d of %d records are wanted", len(backwards), len(want), len(all))
	}
	for _, processors := range []int{1, 4} {
		got, _ := records(file, processors, wanted)
		if !slices.Equal(got, want) {
			t.Errorf("with %d processors %d records, want %d", processors, len(got), len(want))
		}
	}
	if got, _ := records(file, 1, func(schema.Role) bool { return true }); !slices.Equal(got, all) {
		t.Errorf("all wanted: %d records of %d", len(got), len(all))
	}
}

// Whatever is wrong with a file, all that is reported besides events is the same.
func TestOnlySaysWhatIsWrong(t *testing.T) {
	whole, rng := mixed(t, 2000), rand.New(rand.NewPCG(7, 8))
	beside := func(said []string, events []*schema.Event) (out []string) {
		for i, e := range events {
			if e == nil {
				out = append(out, said[i])
			}
		}
		return out
	}
	for i := range 60 {
		torn := bytes.Clone(whole[:len(whole)-rng.IntN(2)*rng.IntN(len(whole))])
		for range rng.IntN(4) {
			torn[rng.IntN(len(torn))] ^= byte(1 << rng.IntN(8))
		}
		want := beside(records(torn, 1, nil))
		if got := beside(records(torn, 1, func(schema.Role) bool { return false })); !slices.Equal(got, want) {
			t.Errorf("file %d:\n%v, want\n%v", i, got, want)
		}
	}
}
