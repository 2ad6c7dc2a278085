// SPDX-License-Identifier: Apache-2.0

package schema

import "slices"

// Only makes the reader pass over events of other roles than the wanted ones, for who takes no more of them than that they
// happened. Those that nothing else stands for it hands out all the same: the first and the last event of a batch, one of
// another CPU, thread, process or name than the event before it, and all of a batch in which time runs backwards. Ids stay, and
// what is damaged, lost or cut is told as ever.
func (t *Reader) Only(wanted func(Role) bool) {
	t.wanted = wanted
	t.batch.pick(wanted)
}

// passing is what an event of a kind is passed over by.
type passing struct {
	over bool
	n    uint8
	rows [columnRows]uint8 // the first n: of its columns
}

// pick finds out which kinds of the batch are passed over.
func (b *batchReader) pick(wanted func(Role) bool) {
	b.passing = b.passing[:0]
	if wanted == nil || !slices.IsSorted(b.time) {
		return
	}
	for i := range b.kinds {
		k := &b.kinds[i]
		p := passing{over: !wanted(k.role)}
		for r := range columnTable {
			if (k.columns | k.entry).Has(columnTable[r].Column) {
				p.rows[p.n] = uint8(r)
				p.n++
			}
		}
		b.passing = append(b.passing, p)
	}
}

// passOver goes on to the next event that is to be handed out. There is one: the last of the batch is.
func (b *batchReader) passOver() {
	i := b.done
	for ; i < b.events-1; i++ {
		p := &b.passing[b.kind.at(i)]
		if !p.over || i >= b.turn {
			break
		}
		for _, r := range p.rows[:p.n] {
			b.at[r]++
		}
	}
	b.done = i
}
