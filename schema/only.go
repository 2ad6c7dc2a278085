// SPDX-License-Identifier: Apache-2.0

package schema

import "slices"

// Only makes the reader skip events of other roles than the wanted ones, for callers that need to know of
// those no more than that they happened. Some are returned all the same, as nothing else would show what
// they do: the first and the last event of a batch, an event with another CPU, thread, process or name than
// the event before it, and all events of a batch in which time runs backwards. Ids do not change, and
// damage, losses and cuts are reported as usual.
func (t *Reader) Only(wanted func(Role) bool) {
	t.wanted = wanted
	t.batch.pick(wanted)
}

// passing says whether events of a kind are skipped, and how.
type passing struct {
	over bool
	n    uint8
	rows [columnRows]uint8 // the first n are the rows of its columns
}

// pick finds out which kinds of the batch are skipped.
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

// passOver goes on to the next event to return. There always is one, as the last event of a batch is not
// skipped.
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
