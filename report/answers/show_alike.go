// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// maxAlike bounds the distinct entries that are counted separately, in one list.
const maxAlike = 64

// alike counts occurrences by key.
type alike[K comparable] struct {
	at    map[K]*sighting
	order []*sighting
	more  uint64 // occurrences of keys beyond maxAlike
}

type sighting struct {
	text        string
	first, last uint64
	at, n       uint64
}

// add counts an occurrence of key at an event and its time. Occurrences come in any order of their events;
// text is that of the first.
func (a *alike[K]) add(key K, id, at uint64, text func() string) {
	x := a.at[key]
	if x == nil {
		if len(a.order) >= maxAlike {
			a.more++
			return
		}
		if a.at == nil {
			a.at = make(map[K]*sighting)
		}
		x = &sighting{first: math.MaxUint64}
		a.at[key] = x
		a.order = append(a.order, x)
	}
	if id < x.first {
		x.text, x.first, x.at = text(), id, at
	}
	x.n++
	x.last = max(x.last, id)
}

// sections lists the entries, or returns nil if there are none. again says of an entry that occurred more
// than once how often, and rest names the given number of occurrences beyond maxAlike.
func (a *alike[K]) sections(title string, again, rest func(uint64) string) []Section {
	var l lines
	slices.SortStableFunc(a.order, func(x, y *sighting) int { return cmp.Compare(x.first, y.first) })
	for _, x := range a.order {
		text := x.text
		if x.n > 1 {
			text += fmt.Sprintf("%s until #%d", again(x.n), x.last)
		}
		l.add(x.first, x.at, "%s", text)
	}
	if a.more > 0 {
		l.add(0, 0, "and %s", rest(a.more))
	}
	return l.sections(title)
}
