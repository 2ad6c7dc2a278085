// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// frames writes a trace of many small frames, with losses between some of them.
func frames(t *testing.T, out io.Writer, n int, each func(event uint64)) {
	t.Helper()
	w, err := schema.NewWriter(out, tracetest.Header())
	if err != nil {
		t.Fatal(err)
	}
	tracetest.Generate(200*n, func(e *schema.Event) {
		if err == nil {
			err = w.Append(e)
		}
		if id := w.Events(); err == nil && id%200 == 0 {
			if id%1000 == 0 {
				err = w.Loss(&schema.Loss{Cause: schema.LossRingBuffer, Count: id, FirstNs: e.Time, LastNs: e.Time})
			} else {
				err = w.Flush()
			}
			each(id)
		}
	})
	if err == nil {
		err = w.Close(&schema.Footer{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// told returns all that a reader with so many CPUs says about a file.
func told(b []byte, run, processors int) string {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	r, err := schema.NewReader(bytes.NewReader(b), run)
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	var said bytes.Buffer
	for {
		rec, err := r.Next()
		if err != nil {
			return said.String() + err.Error()
		}
		fmt.Fprintf(&said, "%T %+v\n", rec, rec)
	}
}

// Whatever is wrong with a file, decoding ahead gives the same result as reading frame by frame.
func TestAheadSaysTheSame(t *testing.T) {
	var b bytes.Buffer
	frames(t, &b, 12, func(uint64) {})
	whole, rng := b.Bytes(), rand.New(rand.NewPCG(1, 2))
	files := [][]byte{whole, append(bytes.Clone(whole), whole...)}
	for range 20 {
		torn := bytes.Clone(whole[:len(whole)-rng.IntN(2)*rng.IntN(len(whole))])
		for range rng.IntN(4) {
			torn[rng.IntN(len(torn))] ^= byte(1 << rng.IntN(8))
		}
		at := rng.IntN(len(torn))
		files = append(files, torn, append(bytes.Clone(torn[:at]), whole[rng.IntN(len(whole)):]...))
	}
	for i, file := range files {
		for run := range 3 {
			if one, four := told(file, run, 1), told(file, run, 4); one != four {
				t.Errorf("file %d, run %d: with one processor %d bytes are told, with four %d", i, run, len(one), len(four))
			}
		}
	}
}

// A packet may begin with a field that this version does not know. The batch in it is not the one decoded ahead then.
func TestAheadOfUnknownFields(t *testing.T) {
	var b bytes.Buffer
	frames(t, &b, 4, func(uint64) {})
	var frames [3][]byte // the header, the first batch, and all the rest, which begins with the new field
	for i, p := range messageOf(t, b.Bytes()).Packet {
		packet, err := proto.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			packet = append(protowire.AppendBytes(protowire.AppendTag(nil, 100, protowire.BytesType), []byte("new")), packet...)
		}
		f := &frames[min(i, 2)]
		*f = protowire.AppendBytes(protowire.AppendTag(*f, 1, protowire.BytesType), packet)
	}
	enc, _ := zstd.NewWriter(nil)
	var file []byte
	for _, f := range frames {
		file = enc.EncodeAll(f, file)
	}
	if one, four := told(file, 0, 1), told(file, 0, 4); one != four {
		t.Errorf("with one processor %d bytes are told, with four %d", len(one), len(four))
	}
}

// Events that have come through a pipe are returned before more is read from it.
func TestAheadWaitsForNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	in, out := io.Pipe()
	seen := make(chan uint64, 4000)
	go func() {
		frames(t, out, 8, func(id uint64) {
			for id > 0 && <-seen < id { // write no more before these were read
			}
		})
		out.Close()
	}()
	r, err := schema.NewReader(in, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := rec.(*schema.Event); ok {
			seen <- e.ID
		}
	}
}

// A reader that is closed early leaves no goroutine behind.
func TestAheadEnds(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var b bytes.Buffer
	frames(t, &b, 30, func(uint64) {})
	before := runtime.NumGoroutine()
	for range 20 {
		r, err := schema.NewReader(bytes.NewReader(b.Bytes()), 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 500 {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		r.Close()
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
