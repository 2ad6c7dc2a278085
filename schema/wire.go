// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// Bounds that hold for every trace (FORMAT.md, section 3); a reader refuses what exceeds
// them before it allocates.
const (
	FormatVersion  = 2
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

// long is uint of a value that takes more than a byte.
func (p *packed) long(v uint64) {
	if v < 0x4000 {
		*p = append(*p, byte(v)|0x80, byte(v>>7))
		return
	}
	*p = protowire.AppendVarint(*p, v)
}

// delta appends v - prev as a zigzag varint and returns v, the next prev.
func (p *packed) delta(v, prev uint64) uint64 {
	p.uint(protowire.EncodeZigZag(int64(v - prev)))
	return v
}

var (
	errVarint  = errors.New("malformed varint in a column")
	errTooLong = errors.New("a column has more values than are allowed")
)

// decode64 appends the varints of a packed column to dst, at most so many.
func decode64(dst []uint64, b []byte, most int) ([]uint64, error) {
	if len(b) > 10*most {
		return dst, errTooLong
	}
	for at := 0; at < len(b); {
		if len(dst) == most {
			return dst, errTooLong
		}
		v := uint64(b[at])
		if at++; v >= 0x80 {
			if at < len(b) && b[at] < 0x80 { // most often of two bytes
				v = v&0x7f | uint64(b[at])<<7
				at++
			} else {
				long, n := protowire.ConsumeVarint(b[at-1:])
				if n < 0 {
					return dst, errVarint
				}
				v, at = long, at-1+n
			}
		}
		dst = append(dst, v)
	}
	return dst, nil
}

// undelta turns zigzag differences into values that begin at base.
func undelta(column []uint64, base uint64) {
	for i, u := range column {
		base += u>>1 ^ -(u & 1)
		column[i] = base
	}
}
