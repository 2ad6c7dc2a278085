// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// counted is a file that counts the bytes read from it.
type counted struct {
	*bytes.Reader
	bytes int
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.bytes += n
	return n, err
}

// From any event on, a run reads the same as from the beginning, without the frames before.
func TestSeekerGoesOnAtAnyEvent(t *testing.T) {
	b := bytesOf(t, 60000)
	events := read(t, b, 0).events
	spoiled := bytes.Clone(b)
	spoiled[len(spoiled)-2] ^= 1 // no index: read from the beginning
	for name, file := range map[string][]byte{"with an index": b, "without": spoiled, "cut": b[:len(b)*2/3]} {
		s := schema.NewSeeker(bytes.NewReader(file), int64(len(file)), 0)
		defer s.Close()
		for _, id := range []uint64{1, 25000, 2, 20000, 20001, 9} {
			r, err := s.At(id)
			if err != nil {
				t.Fatal(name, err)
			}
			found := false
			for !found {
				rec, err := r.Next()
				if err != nil {
					t.Fatalf("%s: #%d: %v", name, id, err)
				}
				if e, ok := rec.(*schema.Event); ok {
					if e.ID > id {
						t.Fatalf("%s: #%d comes before #%d", name, e.ID, id)
					}
					if found = e.ID == id; found && *e != events[id-1] {
						t.Errorf("%s: #%d is %+v, want %+v", name, id, *e, events[id-1])
					}
				}
			}
		}
	}
	file := &counted{Reader: bytes.NewReader(b)}
	s := schema.NewSeeker(file, int64(len(b)), 0)
	defer s.Close()
	if _, err := s.At(1); err != nil {
		t.Fatal(err)
	}
	before := file.bytes
	if _, err := s.At(events[len(events)-1].ID); err != nil {
		t.Fatal(err)
	}
	if read := file.bytes - before; read > len(b)/2 {
		t.Errorf("%d of %d bytes read for the last event", read, len(b))
	}
}

// An index that names other frames is not used.
func TestSeekerDoesWithoutAWrongIndex(t *testing.T) {
	b := bytesOf(t, 60000)
	x, err := schema.ReadIndex(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	at := x.Offset[1]
	moved := append(append(bytes.Clone(b[:at]), 0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0), b[at:]...) // an empty skippable frame
	s := schema.NewSeeker(bytes.NewReader(moved), int64(len(moved)), 0)
	defer s.Close()
	r, err := s.At(50000)
	if err != nil {
		t.Fatal(err)
	}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			t.Fatal("#50000 is not there")
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := rec.(*schema.Event); ok && e.ID == 50000 {
			return
		}
	}
}
