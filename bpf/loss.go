// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
)

// Cause says how events were lost. Values are those of schema.LossCause.
type Cause uint8

// The causes of loss.
const (
	LossRingBuffer     Cause = 1 // no room in the ring buffer
	LossMissed         Cause = 2 // the probe was hit and its program could not run, or not be completed
	LossWatchOverflow  Cause = 3 // a process or thread could not be followed
	LossUnreadableName Cause = 4 // the event is there, its name is not
	LossUnwatched      Cause = 6 // the event is there, later ones of its dentry may not be
)

const (
	lossCauses = 7 // LOSS_CAUSES of record.h
	lossRoles  = 32
	slotSize   = 32
)

// Loss is events that happened and were not read, not wholly, or not with what follows from them.
type Loss struct {
	Cause       Cause
	Role        Role
	CPU         uint32 // 0 where the kernel counted, which tells no cpu
	Count       uint64
	First, Last uint64 // window in nanoseconds since boot, both ends included
}

// lossMemory is the array of struct loss_slot, mapped.
type lossMemory struct {
	memory *ebpf.Memory
	buf    []byte   // a copy of it
	told   []uint64 // by slot: the latest loss reported, nanoseconds since boot
	looked uint64   // when take last looked, nanoseconds since boot
}

func newLossMemory(m *ebpf.Map) (*lossMemory, error) {
	memory, err := m.Memory()
	if err != nil {
		return nil, fmt.Errorf("map loss counters: %w", err)
	}
	return &lossMemory{memory, make([]byte, m.MaxEntries()*slotSize), make([]uint64, m.MaxEntries()), 0}, nil
}

// take appends what was lost since the last call, and acknowledges it: the next
// loss in a slot opens a new window. A loss that comes between the reading and the
// acknowledging finds the older window open; it came after the last look, and its
// window begins there.
func (l *lossMemory) take(dst []Loss) ([]Loss, error) {
	since := l.looked
	l.looked = Now()
	if _, err := l.memory.ReadAt(l.buf, 0); err != nil {
		return dst, fmt.Errorf("read loss counters: %w", err)
	}
	for off := 0; off < len(l.buf); off += slotSize {
		loss, count := slotLoss(l.buf[off:], off/slotSize)
		if loss.Count == 0 {
			continue
		}
		i := off / slotSize
		if loss.First <= l.told[i] {
			loss.First = min(max(loss.First, since), loss.Last)
		}
		l.told[i] = loss.Last
		dst = append(dst, loss)
		var acked [8]byte
		binary.LittleEndian.PutUint64(acked[:], count)
		if _, err := l.memory.WriteAt(acked[:], int64(off)+8); err != nil {
			return dst, fmt.Errorf("acknowledge loss: %w", err)
		}
	}
	return dst, nil
}

// slotLoss reads slot i, whose bytes b starts with: the loss not yet acknowledged,
// and the count to acknowledge.
func slotLoss(b []byte, i int) (loss Loss, count uint64) {
	le := binary.LittleEndian
	count = le.Uint64(b)
	return Loss{
		Cause: Cause(i / lossRoles % lossCauses),
		Role:  Role(i % lossRoles),
		CPU:   uint32(i / lossRoles / lossCauses),
		Count: count - le.Uint64(b[8:]),
		First: le.Uint64(b[16:]),
		Last:  le.Uint64(b[24:]),
	}, count
}
