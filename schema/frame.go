// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	zstdMagic     = 0xFD2FB528
	skippableBase = 0x184D2A50 // 16 magics from here on
	maxBlock      = 128 << 10
)

var errFraming = errors.New("no zstd frame here")

// frameReader cuts a stream into zstd frames without decompressing them, and finds the next frame after
// damage.
type frameReader struct {
	r       io.Reader
	mem     []byte // the memory of buf
	buf     []byte // read and not returned yet
	off     int64  // file offset of buf[0]
	frame   int    // length of the frame returned last, still at the start of buf
	work    int64  // bytes scanned for the ends of frames; in a damaged file some of them many times
	eof     bool
	chunk   int   // bytes read at once; 0: the default
	sparing bool  // little more is read than is needed
	err     error // of r, except io.EOF
}

// next returns the next data frame, valid until the next call, and its offset. Errors: io.EOF if the stream
// ended between frames, io.ErrUnexpectedEOF if inside one, errFraming if the bytes here are no frame (call
// resync then), or that of r.
func (f *frameReader) next() (frame []byte, offset int64, err error) {
	f.drop(f.frame)
	f.frame = 0
	for {
		if !f.fill(1) {
			return nil, f.off, f.streamErr(io.EOF)
		}
		if !f.fill(4) {
			return nil, f.off, f.shortMagicErr(f.buf)
		}
		switch magic := binary.LittleEndian.Uint32(f.buf); {
		case magic&^0xf == skippableBase:
			if err := f.skip(); err != nil {
				return nil, f.off, err
			}
		case magic != zstdMagic:
			return nil, f.off, errFraming
		default:
			size, err := f.measure()
			if f.work += int64(size); err != nil {
				return nil, f.off, err
			}
			f.frame = size
			return f.buf[:size], f.off, nil
		}
	}
}

// peek returns the first data frame at or after an offset that next has not returned yet, and where it
// begins; nil if no whole frame has been read from there on.
func (f *frameReader) peek(at int64) ([]byte, int64) {
	p := frameReader{buf: f.buf[at-f.off:], off: at, eof: true}
	frame, at, _ := p.next()
	return frame, at
}

// measure returns the size of the frame at the start of buf, or of as much of it as is sound.
func (f *frameReader) measure() (size int, err error) {
	size, checksum, err := f.header()
	for err == nil {
		if !f.fill(size + 3) {
			return size, f.streamErr(io.ErrUnexpectedEOF)
		}
		h := uint32(f.buf[size]) | uint32(f.buf[size+1])<<8 | uint32(f.buf[size+2])<<16
		length := int(h >> 3)
		if length > maxBlock || h>>1&3 == 3 {
			return size, errFraming
		}
		if h>>1&3 == 1 { // RLE: one byte is stored for the block
			length = 1
		}
		size += 3 + length
		if size > MaxFrameBytes {
			return size, errFraming
		}
		if h&1 == 1 {
			break
		}
	}
	if err == nil && !f.fill(size+checksum) {
		err = f.streamErr(io.ErrUnexpectedEOF)
	}
	return size + checksum, err
}

// header returns the sizes of the frame header and of the checksum at the end.
func (f *frameReader) header() (size, checksum int, err error) {
	if !f.fill(5) {
		return 0, 0, f.streamErr(io.ErrUnexpectedEOF)
	}
	d := f.buf[4]
	size = 5
	if d&0x20 == 0 { // not a single segment: a window descriptor
		size++
	}
	size += []int{0, 1, 2, 4}[d&3] // dictionary id
	switch d >> 6 {                // frame content size
	case 0:
		size += int(d >> 5 & 1)
	default:
		size += 1 << (d >> 6)
	}
	if d&4 != 0 {
		checksum = 4
	}
	return size, checksum, nil
}

// skip drops a skippable frame of any size.
func (f *frameReader) skip() error {
	if !f.fill(8) {
		return f.streamErr(io.ErrUnexpectedEOF)
	}
	for left := 8 + int64(binary.LittleEndian.Uint32(f.buf[4:])); left > 0; {
		if !f.fill(1) {
			return f.streamErr(io.ErrUnexpectedEOF)
		}
		n := min(left, int64(len(f.buf)))
		f.drop(int(n))
		left -= n
	}
	return nil
}

// shortMagicErr distinguishes a stream cut inside a magic number from one that holds no frame.
func (f *frameReader) shortMagicErr(b []byte) error {
	if bytes.HasPrefix(binary.LittleEndian.AppendUint32(nil, zstdMagic), b) || b[0]&0xf0 == skippableBase&0xf0 {
		return f.streamErr(io.ErrUnexpectedEOF)
	}
	return errFraming
}

// resync drops the byte at the start of buf and everything up to the next magic number of a data frame. It
// returns how many bytes were dropped.
func (f *frameReader) resync() (int64, error) {
	from := f.off
	magic := binary.LittleEndian.AppendUint32(nil, zstdMagic)
	f.frame = 0
	f.drop(1)
	for {
		if i := bytes.Index(f.buf, magic); i >= 0 {
			f.drop(i)
			return f.off - from, nil
		}
		if f.eof {
			f.drop(len(f.buf))
			return f.off - from, f.streamErr(io.EOF)
		}
		f.drop(max(0, len(f.buf)-3))
		f.fill(len(f.buf) + 1)
	}
}

func (f *frameReader) drop(n int) {
	f.buf = f.buf[n:]
	f.off += int64(n)
}

// fill reads until buf has at least n bytes, and reports whether it has.
func (f *frameReader) fill(n int) bool {
	for len(f.buf) < n && !f.eof {
		f.readMore(n)
	}
	return len(f.buf) >= n
}

// sparingChunk is how many bytes are read at once if frames may be skipped.
const sparingChunk = 16 << 10

func (f *frameReader) readMore(n int) {
	chunk := max(f.chunk, 32<<10)
	if cap(f.buf)-len(f.buf) < chunk/2 {
		if need := max(n, len(f.buf)) + chunk; need > cap(f.mem) {
			f.mem = make([]byte, 0, max(n, len(f.buf), min(2*max(n, len(f.buf)), MaxFrameBytes))+2*chunk)
		}
		f.buf = append(f.mem[:0], f.buf...)
	}
	room := cap(f.buf)
	if f.sparing {
		room = min(room, max(n, len(f.buf)+sparingChunk))
	}
	got, err := f.r.Read(f.buf[len(f.buf):room])
	f.buf = f.buf[:len(f.buf)+got]
	if err != nil {
		f.eof = true
		if err != io.EOF {
			f.err = fmt.Errorf("read trace: %w", err)
		}
	}
}

// streamErr returns the error at the end of the stream: that of r, else def.
func (f *frameReader) streamErr(def error) error {
	if f.err != nil {
		return f.err
	}
	return def
}
