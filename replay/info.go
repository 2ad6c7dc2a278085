// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"io"
	"maps"
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// Bounds on how many losses and damaged places, and how many programs, Info keeps one by
// one; the totals count them all.
const (
	maxListed   = 4096
	maxPrograms = 128
)

// Source is a trace being read: a schema.Reader, or what stands around one.
type Source interface {
	Header() *schema.Header
	Next() (schema.Record, error)
}

// Info is what a trace is and holds, without its events.
type Info struct {
	Header   *schema.Header
	Footer   *schema.Footer // nil: the file was cut
	Events   uint64
	First    uint64 // earliest event, nanoseconds since boot; 0 without events
	Last     uint64 // latest event
	Counts   []Count
	Programs []*schema.Program
	Loss     []*schema.Loss
	Lost     uint64 // sum of the counts of Loss, but for unreadable names
	Damage   []schema.Damage
	Damaged  uint64 // events known to be missing at Damage
	Unlisted uint64 // programs, losses and damaged places counted and not listed
	Bytes    int64  // of the file read; set by the caller
	Indexed  bool   // the events were not read: what is said of them is from the seek index
}

// Count is how many events of one role and phase there are.
type Count struct {
	Role   schema.Role
	Phase  schema.Phase
	Events uint64
}

// Complete reports whether nothing is cut off and no frame is damaged.
func (i *Info) Complete() bool { return i.Footer != nil && len(i.Damage) == 0 }

// BytesPerEvent is the size of the file over its events; 0 without any.
func (i *Info) BytesPerEvent() float64 {
	if i.Events == 0 {
		return 0
	}
	return float64(i.Bytes) / float64(i.Events)
}

type kind struct {
	role  schema.Role
	phase schema.Phase
}

// ReadInfo reads a trace to its end; of a Seekable one nothing but what its index does not have. After an error of the source it returns what
// it has read so far, and the error.
func ReadInfo(src Source) (*Info, error) {
	i := &Info{Header: src.Header()}
	counts := make(map[kind]uint64)
	if s, ok := src.(Seekable); ok && s.Index() != nil {
		i.index(s.Index(), counts)
		s.Skip(func(int) bool { return !i.Indexed })
	}
	for {
		rec, err := src.Next()
		if err != nil {
			i.count(counts)
			if err == io.EOF {
				err = nil
			}
			return i, err
		}
		switch rec := rec.(type) {
		case *schema.Event:
			counts[kind{rec.Role, rec.PhaseInFile()}]++
			if i.Events++; i.Events == 1 {
				i.First = rec.Time
			}
			i.First, i.Last = min(i.First, rec.Time), max(i.Last, rec.Time)
		case *schema.Loss:
			if rec.Cause != schema.LossCause_LOSS_CAUSE_UNREADABLE_NAME {
				i.Lost += rec.Count
			}
			i.Loss = list(i, i.Loss, rec, maxListed)
		case *schema.Damage:
			i.Damaged += rec.Events
			i.Damage = list(i, i.Damage, *rec, maxListed)
		case *schema.Program:
			i.Programs = list(i, i.Programs, rec, maxPrograms)
		case *schema.Footer:
			i.Footer = rec
		}
	}
}

// index takes from the seek index what it has of the events.
func (i *Info) index(x *schema.Index, counts map[kind]uint64) {
	if len(x.KindEvents) == 0 || len(x.KindRole) != len(x.KindEvents) || len(x.KindPhase) != len(x.KindEvents) {
		return
	}
	last := len(x.Offset) - 1
	for k, n := range x.KindEvents {
		counts[kind{schema.Role(x.KindRole[k]), schema.Phase(x.KindPhase[k])}] += n
		i.Events += n
	}
	if i.Indexed = last >= 0 && i.Events == x.FirstId[last]+uint64(x.Events[last])-1; !i.Indexed {
		i.Events = 0
		clear(counts)
		return
	}
	i.First, i.Last = slices.Min(x.FirstNs), slices.Max(x.LastNs)
}

func list[T any](i *Info, to []T, v T, most int) []T {
	if len(to) >= most {
		i.Unlisted++
		return to
	}
	return append(to, v)
}

// count lists the counts by role and phase.
func (i *Info) count(counts map[kind]uint64) {
	for _, k := range slices.SortedFunc(maps.Keys(counts), func(a, b kind) int {
		return cmp.Or(cmp.Compare(a.role, b.role), cmp.Compare(a.phase, b.phase))
	}) {
		i.Counts = append(i.Counts, Count{k.role, k.phase, counts[k]})
	}
}
