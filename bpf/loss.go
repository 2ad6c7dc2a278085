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

// lossMemory is the array of struct loss_slot, mapped.
type lossMemory struct {
	memory interface {
		io.ReaderAt
		io.WriterAt
	}
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

// Lag is how far the time of a loss may lie behind the moment in which it can be read: a program takes the time first, and the
// counters after that. In between the CPU of a virtual machine may stand still; on a host with ten times the load
// it can carry, 41 ms were seen.
const Lag = 120 * time.Millisecond

// take appends what was lost since the last call, and acknowledges it: the next
// loss in a slot opens a new window. A loss that comes between the reading and the
// acknowledging finds the older window open; it came after the last look, and its
// window begins there, less the lag. Only of exits that were never seen nobody knows
// since when they are missing: their window is as long as it is.
func (l *lossMemory) take(dst []*schema.Loss) ([]*schema.Loss, error) {
	since := l.looked - min(l.looked, uint64(Lag))
	l.looked = Now()
	if _, err := l.memory.ReadAt(l.buf, 0); err != nil {
		return dst, fmt.Errorf("read loss counters: %w", err)
	}
	for i := range l.told {
		slot := l.buf[i*slotSize:][:slotSize]
		if bytes.Equal(slot[:8], slot[8:16]) {
			continue
		}
		// The count first: what it counts is within the window read after it.
		if _, err := l.memory.ReadAt(slot[:8], int64(i*slotSize)); err != nil {
			return dst, fmt.Errorf("read loss counters: %w", err)
		}
		if _, err := l.memory.ReadAt(slot[16:], int64(i*slotSize)+16); err != nil {
			return dst, fmt.Errorf("read loss counters: %w", err)
		}
		loss := slotLoss(slot, i)
		if loss.FirstNs <= l.told[i] && loss.Cause != schema.LossMissed {
			loss.FirstNs = min(max(loss.FirstNs, since), loss.LastNs)
		}
		l.told[i] = loss.LastNs
		dst = append(dst, loss)
		if _, err := l.memory.WriteAt(slot[:8], int64(i*slotSize)+8); err != nil {
			return dst, fmt.Errorf("acknowledge loss: %w", err)
		}
	}
	return dst, nil
}

// slotLoss reads slot i: the loss not yet acknowledged.
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
