// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
)

// deltas returns the differences of successive values, from 0.
func deltas(values []uint64) (out []int64) {
	var before uint64
	for _, v := range values {
		out, before = append(out, int64(v-before)), v
	}
	return out
}

func indices(values []uint64) (out []uint32) {
	for _, v := range values {
		out = append(out, uint32(v))
	}
	return out
}

// older replaces the fields of version 3 by those that version 2 had in their place, one each.
var older = []func(*schema.EventBatch){
	func(b *schema.EventBatch) { b.KeyParentDelta, b.KeyParentStep = deltas(steps(b.KeyParentStep)), nil },
	func(b *schema.EventBatch) { b.KeyName, b.KeyNameDelta = indices(prefix(b.KeyNameDelta)), nil },
	func(b *schema.EventBatch) { b.DentryKey, b.DentryKeyDelta = indices(prefix(b.DentryKeyDelta)), nil },
	func(b *schema.EventBatch) {
		b.DentryInodeDelta, b.DentryInodeStep = deltas(steps(b.DentryInodeStep)), nil
	},
}

// A reader takes the fields that a batch has, whatever the version says, and those of version 3 if it has
// both.
func TestVersionsMixed(t *testing.T) {
	file := bytesOf(t, 2000)
	want := read(t, file, 0)
	dec, _ := zstd.NewReader(bytes.NewReader(file))
	raw, err := io.ReadAll(dec)
	if err != nil {
		t.Fatal(err)
	}
	enc, _ := zstd.NewWriter(nil)
	for mask := range 1 << len(older) {
		for version := uint32(1); version <= schema.FormatVersion; version++ {
			var trace schema.Trace
			if err := proto.Unmarshal(raw, &trace); err != nil {
				t.Fatal(err)
			}
			for _, p := range trace.Packet {
				if p.Header != nil {
					p.Header.FormatVersion = version
				}
				for i, old := range older {
					if b := p.Events; b != nil && mask>>i&1 == 1 {
						old(b)
					}
				}
				if b := p.Events; b != nil && mask == 0 {
					b.KeyName, b.DentryKey, b.DentryInodeDelta = []uint32{1 << 31}, []uint32{7}, []int64{-1}
				}
			}
			mixed, err := proto.Marshal(&trace)
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, enc.EncodeAll(mixed, nil), 0)
			if d := cmp.Diff(want.events, got.events); d != "" || len(got.damage) > 0 || got.failure != nil {
				t.Fatalf("fields %b as before, version %d: %v, %v\n%.1000s", mask, version, got.damage, got.failure, d)
			}
		}
	}
}
