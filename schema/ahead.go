// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
)

// Frames that have been read already are decoded ahead of their turn if there is more than one CPU: up to
// mostAhead at once. A frame of more than maxAheadFrame bytes, or with more than maxAheadContent bytes in
// it, waits for its turn.
const (
	mostAhead       = 4
	maxAheadFrame   = 256 << 10
	maxAheadContent = 512 << 10
	aheadChunk      = 1 << 20 // bytes read from the file at once
)

// unpacked is a decompressed frame with its first batch decoded.
type unpacked struct {
	raw   []byte
	batch batchReader
	body  []byte // the part of raw that batch is decoded from; nil: none

	compressed []byte // the compressed frame, if it is decoded ahead
	offset     int64  // its offset in the file
	err        error
	done       chan struct{}
}

// initDecoder makes the zstd decoder. With one CPU no frame is decoded ahead.
func (t *Reader) initDecoder() (err error) {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		t.ahead.most = min(n, mostAhead)
	}
	t.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1+t.ahead.most), zstd.WithDecoderMaxMemory(MaxFrameBytes))
	if err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	t.setFrame(new(unpacked))
	return nil
}

// unpack decompresses the next frame, or takes it if it was decoded ahead.
func (t *Reader) unpack(frame []byte) (err error) {
	if t.ahead.most > 0 && t.header != nil && !t.skipsFrames() {
		t.frames.chunk = aheadChunk // from the second frame on: a program that needs only the header reads no more
		t.ahead.start(&t.frames, t.dec)
	}
	if u := t.ahead.take(t.offset); u != nil {
		t.ahead.free = append(t.ahead.free, t.frame)
		t.setFrame(u)
	} else {
		t.frame.body = nil
		t.frame.raw, err = decompress(t.dec, frame, t.frame.raw)
	}
	t.decoded += int64(len(t.frame.raw))
	return err
}

func (t *Reader) setFrame(u *unpacked) { t.frame, t.batch = u, &u.batch }

// aheadDecoder decodes frames before their turn. Its goroutines do not read the file, and end by themselves.
type aheadDecoder struct {
	most    int         // frames at once; 0: none ahead
	queue   []*unpacked // in the order of the file
	free    []*unpacked
	next    int64 // file offset behind the last frame in queue
	running sync.WaitGroup
}

// start begins to decode the frames that have been read already.
func (a *aheadDecoder) start(frames *frameReader, dec *zstd.Decoder) {
	a.next = max(a.next, frames.off+int64(frames.frame))
	for len(a.queue) < a.most {
		frame, at := frames.peek(a.next)
		if frame == nil {
			return
		}
		a.next = at + int64(len(frame))
		if len(frame) > maxAheadFrame || contentSize(frame) > maxAheadContent {
			continue
		}
		u := a.unused()
		u.compressed, u.offset, u.done = append(u.compressed[:0], frame...), at, make(chan struct{})
		a.queue = append(a.queue, u)
		a.running.Go(func() {
			u.decode(dec)
			close(u.done)
		})
	}
}

func (a *aheadDecoder) unused() *unpacked {
	if n := len(a.free); n > 0 {
		u := a.free[n-1]
		a.free = a.free[:n-1]
		return u
	}
	return new(unpacked)
}

// take returns the frame at an offset, or nil if it was not decoded ahead or has an error. The caller then
// decodes it and gets that error.
func (a *aheadDecoder) take(at int64) *unpacked {
	for len(a.queue) > 0 && a.queue[0].offset <= at {
		u := a.queue[0]
		a.queue = append(a.queue[:0], a.queue[1:]...)
		if <-u.done; u.offset == at && u.err == nil {
			return u
		}
		a.free = append(a.free, u)
	}
	return nil
}

// forget drops what was decoded.
func (a *aheadDecoder) forget() {
	a.running.Wait()
	a.queue, a.next = nil, 0
}

// decode decompresses a frame, and decodes its first batch unless that is damaged.
func (u *unpacked) decode(dec *zstd.Decoder) {
	u.body = nil
	if u.raw, u.err = decompress(dec, u.compressed, u.raw); u.err != nil {
		return
	}
	if body := firstBatch(u.raw); body != nil && u.batch.load(body) == nil {
		u.body = body
	}
	u.batch.done = u.batch.events // it has no events before its turn
}

// isDecoded reports whether batch is already decoded from this body.
func (u *unpacked) isDecoded(body []byte) bool {
	return len(body) > 0 && len(u.body) == len(body) && &u.body[0] == &body[0]
}

// decompress decompresses a frame into dst. It makes a new dst a quarter larger than needed, as frames are
// of similar size.
func decompress(dec *zstd.Decoder, frame, dst []byte) ([]byte, error) {
	if size := contentSize(frame); size > uint64(cap(dst)) && size <= maxAheadContent {
		dst = make([]byte, 0, size+size/4)
	}
	return dec.DecodeAll(frame, dst[:0])
}

// contentSize returns the decompressed size that a frame states, in bytes. If it states none, the result is
// larger than any frame may be.
func contentSize(frame []byte) uint64 {
	var h zstd.Header
	if h.Decode(frame) != nil || !h.HasFCS {
		return MaxFrameBytes + 1
	}
	return h.FrameContentSize
}

// firstBatch returns the first EventBatch in the packets of a frame, or nil.
func firstBatch(raw []byte) []byte {
	for len(raw) > 0 {
		num, typ, packet, err := takeField(&raw)
		if err != nil {
			return nil
		}
		if num != fieldTracePacket || typ != protowire.BytesType {
			continue
		}
		if num, typ, body, err := takeField(&packet); err == nil && num == fieldPacketEvents && typ == protowire.BytesType {
			return body
		}
	}
	return nil
}
