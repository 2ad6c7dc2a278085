// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"bytes"
	"fmt"
	"testing"
)

// Size is an upper bound of the closed file's size, and not much larger than that.
func TestWriterSize(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, &Header{Kernel: &Kernel{}, Layout: &Layout{}})
	if err != nil {
		t.Fatal(err)
	}
	const start = 1 << 55 // nanoseconds: a machine that is up for a year
	for i := range uint64(60_000) {
		e := &Event{Time: start + i*1e8, PID: uint32(i), TID: uint32(i), Comm: "comm", Role: RoleOpen, Phase: Enter, Columns: 1 << ColumnKey, Name: fmt.Sprint(i)}
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if i%10_000 == 0 {
			t.Logf("%d frames: %d bytes, %d at most", i+1, w.Bytes(), w.Size())
		}
	}
	most := w.Size()
	if err := w.Close(&Footer{EndNs: start, EndedBy: "rotation"}); err != nil {
		t.Fatal(err)
	}
	if n := int64(file.Len()); n > most || most-n > n/4 {
		t.Errorf("%d bytes, said to be at most %d", n, most)
	}
}
