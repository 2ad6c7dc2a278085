// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"errors"
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
)

// Bounds that hold for every trace (FORMAT.md, section 3); a reader refuses what exceeds
// them before it allocates.
const (
	FormatVersion  = 1
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

	fieldTimeDelta  = 32
	fieldKind       = 33
	fieldCPU        = 34
	fieldTask       = 35
	fieldKey        = 36
	fieldNameAddr   = 37
	fieldDentry     = 38
	fieldRet        = 39
	fieldOpenFlags  = 40
	fieldOpenMode   = 41
	fieldFilesystem = 42
	fieldBucket     = 43
	fieldTarget     = 44
	fieldChild      = 45
	fieldSymbol     = 46
	fieldTook       = 47

	fieldsEnd = 48 // one more than the largest
)

// packed is one column: a packed repeated field being written.
type packed []byte

func (p *packed) uint(v uint64) {
	if v < 0x80 {
		*p = append(*p, byte(v))
		return
	}
	*p = protowire.AppendVarint(*p, v)
}

// delta appends v - prev as a zigzag varint and returns v, the next prev.
func (p *packed) delta(v, prev uint64) uint64 {
	p.uint(protowire.EncodeZigZag(int64(v - prev)))
	return v
}

// cursor reads a packed column. Its content has been counted beforehand, so a
// read past the end is a programming error and yields 0.
type cursor struct {
	b  []byte
	at int
}

func (c *cursor) uint() uint64 {
	if i := c.at; i < len(c.b) && c.b[i] < 0x80 {
		c.at = i + 1
		return uint64(c.b[i])
	}
	return c.long()
}

// long reads a varint of more than one byte, most often of two.
func (c *cursor) long() uint64 {
	b := c.b[min(c.at, len(c.b)):]
	if len(b) > 1 && b[1] < 0x80 {
		c.at += 2
		return uint64(b[0]&0x7f) | uint64(b[1])<<7
	}
	v, n := protowire.ConsumeVarint(b)
	if n < 0 {
		c.at = len(c.b)
		return 0
	}
	c.at += n
	return v
}

func (c *cursor) delta(prev uint64) uint64 {
	u := c.uint()
	return prev + (u>>1 ^ -(u & 1))
}

var errVarint = errors.New("malformed varint in a column")

// countVarints returns how many varints b holds: the bytes without continuation
// bit. It refuses a varint longer than ten bytes or one that is cut.
func countVarints(b []byte) (int, error) {
	if len(b) > 0 && b[len(b)-1] >= 0x80 {
		return 0, errVarint
	}
	n, run := 0, 0
	for len(b) >= 8 {
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		ends := ^w & 0x8080808080808080
		if ends == 0 {
			if run += 8; run > 9 {
				return 0, errVarint
			}
		} else {
			if run+bits.TrailingZeros64(ends)/8 > 9 {
				return 0, errVarint
			}
			run = bits.LeadingZeros64(ends) / 8
			n += bits.OnesCount64(ends)
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= 0x80 {
			if run++; run > 9 {
				return 0, errVarint
			}
			continue
		}
		n, run = n+1, 0
	}
	return n, nil
}
