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
	t.batch.selectKinds(wanted)
}

// selectKinds finds out which kinds of the batch are skipped.
func (b *batchReader) selectKinds(wanted func(Role) bool) {
	b.skipKinds = b.skipKinds[:0]
	if wanted == nil || !slices.IsSorted(b.time) {
		return
	}
	for i := range b.kinds {
		b.skipKinds = append(b.skipKinds, !wanted(b.kinds[i].role))
	}
}

// skipEvents goes on to the next event to return. There always is one, as the last event of a batch is not
// skipped.
func (b *batchReader) skipEvents() {
	i := b.done
	for ; i < b.events-1; i++ {
		kind := b.kind.at(i)
		if !b.skipKinds[kind] || i >= b.sameUntil {
			break
		}
		k := &b.kinds[kind]
		for _, r := range k.rows[:k.n] {
			b.nextValue[r]++
		}
	}
	b.done = i
}
