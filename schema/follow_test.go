// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Rows can be decoded from their codes, whatever their order.
func TestFollowerRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, rows := range []int{1, 2, 7, 1000} {
		var f, back rowCoder
		for range 20 {
			f.reset()
			var codes packed
			var want []uint32
			again := 0
			for i := range 500 {
				row := uint32(rng.IntN(rows))
				if i > 100 && rng.IntN(4) > 0 {
					row = want[i-7] // the same rows again
				}
				code := f.code(uint64(row))
				want = append(want, row)
				if codes.uint(code); code == codeAgain {
					again++
				}
			}
			got := make([]uint32, len(want))
			if err := back.decodeRows(got, codes, rows); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%d rows: %v\n%v, want\n%v", rows, err, got, want)
			}
			if again == 0 {
				t.Fatalf("%d rows: none followed as before", rows)
			}
		}
	}
}

func TestFollowerDamage(t *testing.T) {
	for _, test := range []struct {
		codes []uint64
		rows  int
		ok    bool
	}{
		{nil, 0, true},
		{[]uint64{codeNew}, 0, false},
		{[]uint64{codeRow}, 0, false},
		{[]uint64{codeAgain}, 3, false},
		{[]uint64{codeNew, codeNew, codeNew, codeNew}, 3, false},
		{[]uint64{codeRow + 2}, 3, true},
		{[]uint64{codeRow + 3}, 3, false},
		{[]uint64{codeRow + 2, codeAgain}, 3, false},
		{[]uint64{codeRow, codeAgain}, 3, true},
		{[]uint64{^uint64(0)}, 3, false},
		{[]uint64{1 << 40}, 3, false},
	} {
		var f rowCoder
		var column packed
		for _, code := range test.codes {
			column.uint(code)
		}
		if err := f.decodeRows(make([]uint32, len(test.codes)), column, test.rows); (err == nil) != test.ok {
			t.Errorf("codes %v of %d rows: %v", test.codes, test.rows, err)
		}
	}
}

// A batch whose hashes or times do not match its keys and events is damaged.
func TestFollowsDamage(t *testing.T) {
	whole := func() *batchWriter {
		b := newBatchWriter(derivation{nameHash: NameHash_NAME_HASH_WORD64_LE})
		b.start(1)
		b.add(&Event{Time: 5, Role: RoleAlloc, Phase: Enter, Columns: RoleAlloc.Shape(Enter).Columns, Name: "x", NameLen: 1, Hash: 7})
		b.end()
		return b
	}
	for name, spoil := range map[string]func(*batchWriter){
		"":                      func(*batchWriter) {},
		"no such key":           func(b *batchWriter) { b.columns[fieldKeyOwnHash] = packed{2} },
		"no key before":         func(b *batchWriter) { b.columns[fieldKeyOwnHash], b.hashes = packed{1}, nil },
		"no hash":               func(b *batchWriter) { b.hashes = nil },
		"a hash of no key":      func(b *batchWriter) { b.columns[fieldKeyOwnHash] = nil },
		"no low byte of a time": func(b *batchWriter) { b.columns[fieldTimeLow] = nil },
		"no time":               func(b *batchWriter) { b.columns[fieldTimeHigh] = nil },
		"an unknown hash":       func(b *batchWriter) { b.derived.nameHash = 9 },
	} {
		b := whole()
		spoil(b)
		var r batchReader
		if err := r.load(b.appendTo(nil)); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
