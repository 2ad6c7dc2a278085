// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Bounds that hold for every trace (FORMAT.md, section 3); a reader refuses what exceeds
// them before it allocates.
const (
	FormatVersion  = 3
	MaxFrameBytes  = 16 << 20 // one frame, compressed or not
	MaxBatchEvents = 1 << 16
	MaxTableRows   = 2 * MaxBatchEvents // an event has at most two keys, and one of anything else
	MaxStringBytes = 4096               // PATH_MAX
	MaxProbes      = 4096               // in a header
	MaxWords       = 1 << 16            // of the command
	MaxLines       = 4096               // of a program

	MaxHeaderBytes  = 1 << 20
	MaxProgramBytes = 64 << 10

	maxInflation = 64       // a run holds at most so many bytes for each of the file,
	freeBytes    = 64 << 20 // and these
)

// maxMessage bounds the packets that are decoded as a whole, bytes.
var maxMessage = map[protowire.Number]int{
	fieldPacketHeader:  MaxHeaderBytes,
	fieldPacketLoss:    1 << 10,
	fieldPacketProgram: MaxProgramBytes,
	fieldPacketFooter:  4 << 10,
}

// repeats bounds the repeated fields of those packets: each is a message or a string,
// that takes many times the bytes it has in the file.
var repeats = map[protowire.Number]map[protowire.Number]int{
	fieldPacketHeader:  {fieldHeaderCommand: MaxWords, fieldHeaderProbe: MaxProbes},
	fieldPacketProgram: {fieldProgramSource: MaxLines},
}

// Field numbers of trace.proto that are encoded and decoded by hand; a test holds
// them against the generated descriptors.
const (
	fieldTracePacket = 1

	fieldPacketHeader  = 1
	fieldPacketEvents  = 2
	fieldPacketLoss    = 3
	fieldPacketProgram = 4
	fieldPacketFooter  = 5

	fieldHeaderCommand = 8
	fieldHeaderProbe   = 9
	fieldProgramSource = 3

	fieldFirstID  = 1
	fieldBaseTime = 2
	fieldString   = 3

	fieldKindRole         = 4
	fieldKindPhase        = 5
	fieldKindColumns      = 6
	fieldTaskPID          = 7
	fieldTaskTID          = 8
	fieldTaskComm         = 9
	fieldKeyParent        = 10
	fieldKeyName          = 11
	fieldKeyLength        = 12
	fieldKeyHash          = 13
	fieldKeyFacts         = 14
	fieldDentryAddress    = 15
	fieldDentryKey        = 16
	fieldDentryNameOffset = 17
	fieldDentryInode      = 18
	fieldDentryFacts      = 19
	fieldFilesystemType   = 20
	fieldFilesystemDev    = 21
	fieldNameHash         = 22
	fieldKeyOwnHash       = 23
	fieldHashtable        = 24
	fieldHashShift        = 25
	fieldKeyParentStep    = 26
	fieldKeyNameDelta     = 27
	fieldDentryKeyDelta   = 28
	fieldDentryInodeStep  = 29

	fieldTimeDelta = 32
	fieldKind      = 33
	fieldCPU       = 34
	fieldTask      = 35
	fieldTimeLow   = 56
	fieldTimeHigh  = 57
)

// packed is one column: a packed repeated field being written.
type packed []byte

func (p *packed) uint(v uint64) {
	if v < 0x80 {
		*p = append(*p, byte(v))
		return
	}
	p.long(v)
}

// room is the column, that has no values yet, with n bytes to be set.
func (p packed) room(n int) packed { return slices.Grow(p[:0], n)[:n] }

// bytes is the column, that has no values yet, with values of which nearly all take a byte.
func (p packed) bytes(values []uint32) packed {
	to, wide := p.room(len(values))[:len(values)], uint32(0)
	for i, v := range values {
		to[i] = byte(v)
		wide |= v
	}
	if wide < 0x80 {
		return to
	}
	to = to[:0]
	for _, v := range values {
		to = protowire.AppendVarint(to, uint64(v))
	}
	return to
}

// long is uint of a value that takes more than a byte. Eight are written at once.
func (p *packed) long(v uint64) {
	n := len(*p)
	switch {
	case v < 0x4000:
		*p = append(*p, byte(v)|0x80, byte(v>>7))
		return
	case cap(*p)-n < 10:
		*p = protowire.AppendVarint(*p, v)
		return
	}
	to := (*p)[n : n+10 : n+10]
	low := v&0x0fffffff | v&(0x0fffffff<<28)<<4 // groups of 28 bits, of 14, and of 7 are moved to where their bytes are
	low = low&0x00003fff00003fff | low&0x0fffc0000fffc000<<2
	low = low&0x007f007f007f007f | low&0x3f803f803f803f80<<1
	if v >= 1<<56 {
		binary.LittleEndian.PutUint64(to, low|0x8080808080808080)
		to[8], to[9] = byte(v>>56), byte(v>>63) // its highest bit says that another follows, and is that one
		n += 9 + int(v>>63)
	} else {
		size := (bits.Len64(v) + 6) / 7
		binary.LittleEndian.PutUint64(to, low|0x8080808080808080&(1<<(8*uint(size-1)&63)-1))
		n += size
	}
	*p = (*p)[:n]
}

// delta appends v - prev as a zigzag varint and returns v, the next prev.
func (p *packed) delta(v, prev uint64) uint64 {
	p.uint(protowire.EncodeZigZag(int64(v - prev)))
	return v
}

// step appends how an address that may be NULL differs from the last one of the column that was not, and returns what the next
// differs from. NULL is 0; anything else one more than the zigzag code of the difference. There is one more value than codes:
// the one that would have no code is given that which NULL would have.
func (p *packed) step(v, prev uint64) uint64 {
	if v == 0 {
		*p = append(*p, 0)
		return prev
	}
	d := v - prev
	if d == 1<<63 {
		d = -prev
	}
	p.uint(protowire.EncodeZigZag(int64(d)) + 1)
	return v
}
