// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Bounds that hold for every trace (FORMAT.md, section 3). A reader refuses what exceeds them before it
// allocates.
const (
	FormatVersion  = 3
	MaxFrameBytes  = 16 << 20 // one frame, compressed or not
	MaxBatchEvents = 1 << 16
	MaxTableRows   = 2 * MaxBatchEvents // an event has at most two keys, and one of anything else
	MaxStringBytes = 4096               // PATH_MAX
	MaxProbes      = 4096               // in a header
	MaxWords       = 1 << 16            // of a command
	MaxLines       = 4096               // of a program's source

	MaxHeaderBytes  = 1 << 20
	MaxProgramBytes = 64 << 10

	maxInflation = 64       // decompressed bytes of a run: at most so many for each byte of the file,
	freeBytes    = 64 << 20 // plus these
)

// maxMessage bounds the packets that are decoded as a whole, in bytes.
var maxMessage = map[protowire.Number]int{
	fieldPacketHeader:  MaxHeaderBytes,
	fieldPacketLoss:    1 << 10,
	fieldPacketProgram: MaxProgramBytes,
	fieldPacketFooter:  4 << 10,
}

// maxRepeats bounds the repeated fields of those packets. Each element is a message or a string, which takes
// many times its bytes in the file once decoded.
var maxRepeats = map[protowire.Number]map[protowire.Number]int{
	fieldPacketHeader:  {fieldHeaderCommand: MaxWords, fieldHeaderProbe: MaxProbes},
	fieldPacketProgram: {fieldProgramSource: MaxLines},
}

// Field numbers of trace.proto that are encoded and decoded by hand. A test compares them with the
// generated descriptors.
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

// packed is a column, a packed repeated field, being written.
type packed []byte

func (p *packed) uint(v uint64) {
	if v < 0x80 {
		*p = append(*p, byte(v))
		return
	}
	p.long(v)
}

// room returns the column, which must be empty, with n bytes to be set.
func (p packed) room(n int) packed { return slices.Grow(p[:0], n)[:n] }

// bytes returns the column, which must be empty, with values most of which take one byte.
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

// long is uint for a value of more than one byte. It writes eight bytes at once.
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
	low := v&0x0fffffff | v&(0x0fffffff<<28)<<4 // moves groups of 28 bits, then of 14, then of 7, to the place of their bytes
	low = low&0x00003fff00003fff | low&0x0fffc0000fffc000<<2
	low = low&0x007f007f007f007f | low&0x3f803f803f803f80<<1
	if v >= 1<<56 {
		binary.LittleEndian.PutUint64(to, low|0x8080808080808080)
		to[8], to[9] = byte(v>>56), byte(v>>63) // the high bit of byte 8 says that byte 9 follows, and is its value
		n += 9 + int(v>>63)
	} else {
		size := (bits.Len64(v) + 6) / 7
		binary.LittleEndian.PutUint64(to, low|0x8080808080808080&(1<<(8*uint(size-1)&63)-1))
		n += size
	}
	*p = (*p)[:n]
}

// delta appends v - prev as a zigzag varint, and returns v, the next prev.
func (p *packed) delta(v, prev uint64) uint64 {
	p.uint(protowire.EncodeZigZag(int64(v - prev)))
	return v
}

// step appends the difference of an address that may be NULL to prev, the last one in the column that was
// not, and returns the next prev. NULL is 0; any other address is 1 plus the zigzag code of the difference.
// As that leaves one difference (2^63) without a code, it gets the code that NULL would have if it were an
// address.
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
