// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"errors"
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

// unstep turns the codes of step into values.
func unstep(column []uint64) {
	prev := uint64(0)
	for i, code := range column {
		if code == 0 {
			continue
		}
		v := prev + uint64(protowire.DecodeZigZag(code-1))
		if v == 0 {
			v = prev + 1<<63
		}
		column[i], prev = v, v
	}
}

var (
	errVarint  = errors.New("malformed varint in a column")
	errTooLong = errors.New("a column has more values than are allowed")
)

// decode64 decodes the varints of a packed column, at most so many, in the memory of dst.
func decode64(dst []uint64, b []byte, most int) ([]uint64, error) {
	if len(b) > 10*most {
		return dst[:0], errTooLong
	}
	if dst = room(dst, min(most, len(b))); len(b) == most && fit(b, -1) { // each is one byte, as in most columns
		for i := range dst {
			dst[i] = uint64(b[i])
		}
		return dst, nil
	}
	n := 0
	for at := 0; at < len(b); n++ {
		if n == len(dst) {
			return dst[:n], errTooLong
		}
		v := uint64(b[at])
		if at++; v >= 0x80 {
			if at < len(b) && b[at] < 0x80 { // most often of two bytes
				v = v&0x7f | uint64(b[at])<<7
				at++
			} else {
				long, size := protowire.ConsumeVarint(b[at-1:])
				if size < 0 {
					return dst[:n], errVarint
				}
				v, at = long, at-1+size
			}
		}
		dst[n] = v
	}
	return dst[:n], nil
}

// decodeAll decodes a column of n values.
func decodeAll(dst []uint64, b []byte, n int) ([]uint64, error) {
	dst, err := decode64(dst, b, n)
	if err == errTooLong || err == nil && len(dst) != n {
		err = errTable
	}
	return dst, err
}

// room returns a slice of n elements, in the memory of s if that has room for them. What it holds is to be written yet.
func room[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// chunkBytes is how many bytes of a batch become strings as one: who keeps one of them keeps no more than that, nearly.
const chunkBytes = 1 << 10

// stringTag begins a field that is a string.
const stringTag = fieldString<<3 | byte(protowire.BytesType)

// shortStrings appends the strings that fields begin with, as long as each has less than 128 bytes, and returns how many bytes
// these fields are.
func shortStrings(to []string, fields []byte) (all []string, n int) {
	for rows := MaxTableRows - len(to); rows > 0 && n < chunkBytes && n+1 < len(fields) && fields[n] == stringTag && fields[n+1] < 0x80; rows-- {
		next := n + 2 + int(fields[n+1])
		if next > len(fields) {
			break
		}
		n = next
	}
	for chunk := string(fields[:n]); len(chunk) > 0; {
		end := 2 + int(chunk[1])
		to, chunk = append(to, chunk[2:end]), chunk[end:]
	}
	return to, n
}

// smalls is a column of numbers that are small mostly: its bytes as they stand in the frame, where
// all are less than 128.
type smalls struct {
	bytes []byte
	wide  []uint64 // else
	buf   []uint64
}

// load decodes a column of n values, all of them less than below; -1: whatever they are.
func (s *smalls) load(b []byte, n, below int) (err error) {
	if s.bytes, s.wide = b, nil; len(b) == n && fit(b, below) {
		return nil
	}
	s.bytes = nil
	s.buf, err = decodeAll(s.buf, b, n)
	if s.wide = s.buf; err != nil || below < 0 {
		return err
	}
	return inTable(s.wide, below)
}

// highBits are those of eight bytes that say that a varint goes on.
const highBits = 0x8080808080808080

// fit reports whether bytes are less than 128, and than below where that is not negative.
func fit(b []byte, below int) bool {
	add := uint64(0)
	if below >= 0 && below < 0x80 {
		add = uint64(0x80-below) * (highBits >> 7)
	}
	var high uint64
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		high |= w | (w&^highBits + add)
	}
	for _, v := range b {
		high |= uint64(v) | (uint64(v&0x7f) + add&0xff)
	}
	return high&highBits == 0
}

func (s *smalls) at(i int) uint64 {
	if s.wide == nil {
		return uint64(s.bytes[i])
	}
	return s.wide[i]
}

// undelta turns zigzag differences into values that begin at base.
func undelta(column []uint64, base uint64) {
	for i, u := range column {
		base += u>>1 ^ -(u & 1)
		column[i] = base
	}
}
