// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"os"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// BenchmarkPipeline turns records, as they come from the ring buffer, into frames: those of a sample trace, or of
// the file named by BENCH_TRACE. It measures the recorder's cost of each event, without scanning the ring buffer.
func BenchmarkPipeline(b *testing.B) {
	turns, events := ringOf(b, cmp.Or(os.Getenv("BENCH_TRACE"), "../traces/run1.pb"))
	var size countWriter
	trace, err := schema.NewWriter(&size, &schema.Header{
		Kernel: &schema.Kernel{}, Layout: &schema.Layout{NameHash: schema.NameHash_NAME_HASH_WORD64_LE}, RunId: make([]byte, 16)})
	if err != nil {
		b.Fatal(err)
	}
	s := &script{turns: turns}
	w := newWriter(s, 1<<30, trace, limits{}, &counters{}, func(uint64) string { return "ext4" })
	rounds := 0
	b.ReportAllocs()
	for b.Loop() {
		for s.turn, s.data, s.released = 0, s.data[:0], 0; s.turn < len(turns); {
			w.sorter.pending, _, _ = s.Scan(w.sorter.pending, maxScan)
			w.sorter.sort()
			w.writeAll(^uint64(0))
			w.fail(trace.Settle(^uint64(0)))
		}
		rounds++
	}
	if w.err != nil {
		b.Fatal(w.err)
	}
	b.ReportMetric(float64(size)/float64(events*rounds), "bytes/event")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events*rounds), "ns/event")
}

const turnWords = 16 << 10

type countWriter int64

func (c *countWriter) Write(p []byte) (int, error) { *c += countWriter(len(p)); return len(p), nil }

// ringOf returns the events of a trace as the words of a ring buffer, by turns, and their number.
func ringOf(b *testing.B, path string) (turns [][]uint64, events int) {
	r := tracetest.Open(b, path)
	var turn []uint64
	for {
		record, err := r.Next()
		if err != nil {
			return append(turns, turn), events
		}
		if e, ok := record.(*schema.Event); ok {
			if turn = append(turn, ringRecord(e)...); len(turn) > turnWords {
				turns, turn = append(turns, turn), nil
			}
			events++
		}
	}
}

// ringRecord returns an event as a record of the ring buffer, see record.h.
func ringRecord(e *schema.Event) []uint64 {
	le := binary.LittleEndian
	key, entry, phase := e, e.Entry, e.PhaseInFile()
	if entry != nil {
		key = entry
	}
	to := make([]byte, 8+40)
	head := to[8:]
	le.PutUint64(head, e.Time)
	le.PutUint32(head[8:], e.PID)
	le.PutUint32(head[12:], e.TID)
	copy(head[16:32], e.Comm)
	le.PutUint16(head[32:], uint16(key.Facts))
	le.PutUint16(head[34:], uint16(len(key.Name)))
	le.PutUint16(head[36:], uint16(e.CPU))
	head[38], head[39] = byte(e.Role), byte(phase)
	columns := e.Role.Shape(e.Phase).Columns // an older recording may have fewer columns
	if entry != nil {
		columns |= e.Role.Shape(schema.Enter).Columns
	}
	for c := uint32(columns); c != 0; c &= c - 1 {
		column := schema.Column(bits.TrailingZeros32(c))
		for _, word := range wordsOf(column, key, e) {
			to = le.AppendUint64(to, word)
		}
		if column == schema.ColumnDentry && e.Dentry != 0 && entry != nil {
			to = le.AppendUint64(to, uint64(e.Facts)|uint64(len(e.Name))<<16)
		}
	}
	class := 32
	if max(len(key.Name), len(e.Name)) > class {
		class = 4096
	}
	to = append(to, make([]byte, class)...)
	copy(to[len(to)-class:], key.Name)
	if entry != nil && e.Dentry != 0 {
		to = append(to, make([]byte, class)...)
		copy(to[len(to)-class:], e.Name)
	}
	le.PutUint32(to, uint32(len(to)-8))
	return wordsOfBytes(to)
}

// wordsOf returns the words of a column; key is the event that has the key.
func wordsOf(c schema.Column, key, e *schema.Event) (words []uint64) {
	length := func(e *schema.Event) uint64 { return uint64(e.NameLen) | uint64(e.Hash)<<32 }
	of := e
	if key.Columns.Has(c) {
		of = key
	}
	switch c {
	case schema.ColumnKey:
		if of.Role.Is(schema.TraitWalks) {
			return []uint64{0, 0}
		}
		return []uint64{of.Parent, length(of)}
	case schema.ColumnDentry:
		if of.Dentry == 0 {
			return []uint64{0}
		}
		return []uint64{of.Dentry, of.Inode, of.NameAddr, of.Parent, length(of)}
	case schema.ColumnOpen:
		return []uint64{uint64(of.Flags) | uint64(of.Mode)<<32}
	case schema.ColumnFilesystem:
		return []uint64{uint64(len(of.FSType)), uint64(of.Dev)}
	case schema.ColumnCgroup:
		return []uint64{0}
	}
	for _, f := range schema.Fields()[c] {
		words = append(words, f.Value(of))
	}
	return words
}
