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
	skippableBase = 0x184D2A50 // 16 magics from here
	maxBlock      = 128 << 10
)

var errFraming = errors.New("no zstd frame here")

// frameReader cuts a stream into zstd frames without decompressing them, and finds
// its way back to a frame after damage.
type frameReader struct {
	r       io.Reader
	mem     []byte // what buf lies in
	buf     []byte // read and not yet handed out
	off     int64  // file offset of buf[0]
	frame   int    // length of the frame handed out last, still at the start of buf
	work    int64  // bytes looked at to find the ends of frames; in a damaged file some many times
	eof     bool
	chunk   int   // is read at once, bytes; 0: the usual
	sparing bool  // no more is read than is needed, nearly
	err     error // of r, but for io.EOF
}

// next returns the next data frame, valid until the next call, and its offset.
// io.EOF: the stream ended between frames. io.ErrUnexpectedEOF: inside one.
// errFraming: the bytes here are no frame; call resync.
func (f *frameReader) next() (frame []byte, offset int64, err error) {
	f.drop(f.frame)
	f.frame = 0
	for {
		if !f.fill(1) {
			return nil, f.off, f.end(io.EOF)
		}
		if !f.fill(4) {
			return nil, f.off, f.short(f.buf)
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

// peek returns the data frame at an offset that is not handed out yet, or after it, and where it
// begins; nil where no whole frame is there, as far as the stream is read.
func (f *frameReader) peek(at int64) ([]byte, int64) {
	p := frameReader{buf: f.buf[at-f.off:], off: at, eof: true}
	frame, at, _ := p.next()
	return frame, at
}

// measure walks the frame at the start of buf to its end, or as far as it is one.
func (f *frameReader) measure() (size int, err error) {
	size, checksum, err := f.header()
	for err == nil {
		if !f.fill(size + 3) {
			return size, f.end(io.ErrUnexpectedEOF)
		}
		h := uint32(f.buf[size]) | uint32(f.buf[size+1])<<8 | uint32(f.buf[size+2])<<16
		length := int(h >> 3)
		if length > maxBlock || h>>1&3 == 3 {
			return size, errFraming
		}
		if h>>1&3 == 1 { // RLE: one byte stands for the block
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
		err = f.end(io.ErrUnexpectedEOF)
	}
	return size + checksum, err
}

// header returns the size of the frame header and that of the checksum at the end.
func (f *frameReader) header() (size, checksum int, err error) {
	if !f.fill(5) {
		return 0, 0, f.end(io.ErrUnexpectedEOF)
	}
	d := f.buf[4]
	size = 5
	if d&0x20 == 0 { // no single segment: a window descriptor
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

// skip passes over a skippable frame, of whatever size.
func (f *frameReader) skip() error {
	if !f.fill(8) {
		return f.end(io.ErrUnexpectedEOF)
	}
	for left := 8 + int64(binary.LittleEndian.Uint32(f.buf[4:])); left > 0; {
		if !f.fill(1) {
			return f.end(io.ErrUnexpectedEOF)
		}
		n := min(left, int64(len(f.buf)))
		f.drop(int(n))
		left -= n
	}
	return nil
}

// short tells a stream cut inside a magic number from one that holds no frame.
func (f *frameReader) short(b []byte) error {
	if bytes.HasPrefix(binary.LittleEndian.AppendUint32(nil, zstdMagic), b) || b[0]&0xf0 == skippableBase&0xf0 {
		return f.end(io.ErrUnexpectedEOF)
	}
	return errFraming
}

// resync drops the byte at the start of the stream and all up to the next magic
// number of a data frame. It returns how many bytes were dropped.
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
			return f.off - from, f.end(io.EOF)
		}
		f.drop(max(0, len(f.buf)-3))
		f.fill(len(f.buf) + 1)
	}
}

func (f *frameReader) drop(n int) {
	f.buf = f.buf[n:]
	f.off += int64(n)
}

// fill makes buf at least n bytes long, if the stream has them.
func (f *frameReader) fill(n int) bool {
	for len(f.buf) < n && !f.eof {
		f.more(n)
	}
	return len(f.buf) >= n
}

// sparingChunk is how much is read at once where frames are passed over, bytes.
const sparingChunk = 16 << 10

func (f *frameReader) more(n int) {
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

// end is the error at the end of the stream: that of the reader, else def.
func (f *frameReader) end(def error) error {
	if f.err != nil {
		return f.err
	}
	return def
}
