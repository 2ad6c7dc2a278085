// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/cilium/ebpf"
	"github.com/dtrec/dtrec/schema"
)

const (
	lossCauses = 8 // LOSS_CAUSES of record.h
	lossRoles  = 64
	slotSize   = 32
)

// lossMemory is the mapped array of struct loss_slot.
type lossMemory struct {
	memory interface {
		io.ReaderAt
		io.WriterAt
	}
	buf      []byte   // copy of the array
	reported []uint64 // per slot: end of the latest loss reported, nanoseconds since boot
	taken    uint64   // time of the last call of take, nanoseconds since boot
}

func newLossMemory(m *ebpf.Map) (*lossMemory, error) {
	memory, err := m.Memory()
	if err != nil {
		return nil, fmt.Errorf("map loss counters: %w", err)
	}
	return &lossMemory{memory, make([]byte, m.MaxEntries()*slotSize), make([]uint64, m.MaxEntries()), 0}, nil
}

// Lag is how much later than its own time a loss may become readable: a program takes the time first and
// updates the counters after that. In between the CPU of a virtual machine may stand still; 41 ms were seen
// on a host with ten times the load it can carry.
const Lag = 120 * time.Millisecond

// take appends what was lost since the last call and acknowledges it, so that the next loss in a slot opens a
// new window. A loss between the reading and the acknowledgement still extends the old window; as it happened
// after the last look, the window reported for it begins there, less Lag. LossMissed is the exception: nobody
// knows since when an exit that was never seen has been missing, so its window is not shortened.
func (l *lossMemory) take(dst []*schema.Loss) ([]*schema.Loss, error) {
	since := l.taken - min(l.taken, uint64(Lag))
	l.taken = Now()
	if _, err := l.memory.ReadAt(l.buf, 0); err != nil {
		return dst, fmt.Errorf("read loss counters: %w", err)
	}
	for i := range l.reported {
		slot := l.buf[i*slotSize:][:slotSize]
		if bytes.Equal(slot[:8], slot[8:16]) {
			continue
		}
		// The count is read first, so that all it counts lies within the window read after it.
		if _, err := l.memory.ReadAt(slot[:8], int64(i*slotSize)); err != nil {
			return dst, fmt.Errorf("read loss counters: %w", err)
		}
		if _, err := l.memory.ReadAt(slot[16:], int64(i*slotSize)+16); err != nil {
			return dst, fmt.Errorf("read loss counters: %w", err)
		}
		loss := slotLoss(slot, i)
		if loss.FirstNs <= l.reported[i] && loss.Cause != schema.LossMissed {
			loss.FirstNs = min(max(loss.FirstNs, since), loss.LastNs)
		}
		l.reported[i] = loss.LastNs
		dst = append(dst, loss)
		if _, err := l.memory.WriteAt(slot[:8], int64(i*slotSize)+8); err != nil {
			return dst, fmt.Errorf("acknowledge loss: %w", err)
		}
	}
	return dst, nil
}

// slotLoss returns the part of the loss in slot i that has not been acknowledged.
func slotLoss(b []byte, i int) *schema.Loss {
	le := binary.LittleEndian
	first := le.Uint64(b[16:])
	return &schema.Loss{
		Cause:   schema.LossCause(i / lossRoles % lossCauses),
		Role:    schema.Role(i % lossRoles),
		Cpu:     uint32(i / lossRoles / lossCauses),
		Count:   le.Uint64(b) - le.Uint64(b[8:]),
		FirstNs: first,
		LastNs:  max(first, le.Uint64(b[24:])),
	}
}
