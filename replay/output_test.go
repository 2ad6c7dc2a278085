// SPDX-License-Identifier: Apache-2.0

package replay_test

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Lines formatted on another CPU are the same as those formatted at once, also for a file that is damaged
// and cut.
func TestPrintOnSeveralProcessors(t *testing.T) {
	file, err := tracetest.JoinLeaves(generated(t, 20_000))
	if err != nil {
		t.Fatal(err)
	}
	torn := bytes.Clone(file[:len(file)*3/4])
	torn[len(torn)/2] ^= 1
	for name, format := range map[string]func() replay.Format{
		"text": func() replay.Format { return replay.NewText(replay.TextOptions{Color: true}) },
		"wide": func() replay.Format { return replay.NewText(replay.TextOptions{Wide: true}) },
		"json": replay.NewJSON, "dmesg": replay.NewDmesg,
	} {
		for i, file := range [][]byte{file, torn} {
			for _, filter := range []*replay.Filter{{}, {Roles: []schema.Role{schema.RoleOpen, schema.RoleLookupRCU}}} {
				var out [2]bytes.Buffer
				for n, processors := range []int{1, 4} {
					func() {
						defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
						print(t, &out[n], file, filter, format())
					}()
				}
				if out[0].Len() == 0 || !bytes.Equal(out[0].Bytes(), out[1].Bytes()) {
					t.Errorf("%s of file %d: %d bytes by one processor, others, %d, by four", name, i, out[0].Len(), out[1].Len())
				}
			}
		}
	}
}

type full struct{ room int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// If the output cannot be written, printing ends, and no goroutine is left.
func TestPrintEndsWhereNothingCanBeWritten(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	file := generated(t, 20_000)
	for _, processors := range []int{1, 4} {
		runtime.GOMAXPROCS(processors)
		before := runtime.NumGoroutine()
		for range 10 {
			r, err := schema.NewReader(bytes.NewReader(file), 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = replay.Print(&full{room: 200_000}, r, &replay.Filter{}, replay.NewJSON()); !errors.Is(err, errFull) {
				t.Errorf("with %d processors: %v", processors, err)
			}
			r.Close()
		}
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("with %d processors: %d goroutines, %d before", processors, n, before)
		}
	}
}
