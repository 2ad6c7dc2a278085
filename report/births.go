// SPDX-License-Identifier: Apache-2.0

package report

import "github.com/dtrec/dtrec/replay"

// birth is an alloc of a dentry.
type birth struct {
	at  uint64 // its exit
	tid uint32
	obj *replay.Object
	seq uint64 // of obj: it has been freed where that has another
}

// births are the last allocs of all threads.
type births struct {
	ring [64]birth
	next int
}

func (b *births) add(s *replay.Step) {
	b.ring[b.next%len(b.ring)] = birth{s.Event.ID, s.Event.TID, s.Object, s.Object.Seq}
	b.next++
}

// rival returns the alloc by another thread of a dentry that may have come first for the
// name: it was made before ours was thrown away, had not ended and was not in the hash
// table when this open looked, and is not known to be of another directory.
func (b *births) rival(d *replay.Object, r *row, tid uint32) uint64 {
	for i := range b.ring {
		other := &b.ring[i]
		switch o := other.obj; {
		case o == nil, o.Seq != other.seq, other.tid == tid, o.Name != d.Name, d.Killed != 0 && other.at > d.Killed:
		case o.Killed != 0 && o.Killed < r.askedAfter(), o.Added != 0 && o.Added < r.askedAfter():
		case o.Added != 0 && r.lookup != nil && o.Parent != r.lookup.ev.Parent:
		default:
			return other.at
		}
	}
	return 0
}
