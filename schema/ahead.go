// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
)

// Frames are decoded ahead where there are cores for it: as many at once, up to mostAhead, of
// those that are read already, and of no more bytes than these. What is larger waits for its turn.
const (
	mostAhead       = 4
	maxAheadFrame   = 256 << 10
	maxAheadContent = 512 << 10
	aheadChunk      = 1 << 20 // of the file, read at once
)

// unpacked is a frame decompressed, and its first batch decoded.
type unpacked struct {
	raw   []byte
	batch batchReader
	body  []byte // of raw, what batch is of; nil: it is of none

	in   []byte // of a frame decoded ahead: what stands in the file
	at   int64  // and where
	err  error
	done chan struct{}
}

// prepare makes what frames are decoded with. One processor decodes none ahead.
func (t *Reader) prepare() (err error) {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		t.ahead.most = min(n, mostAhead)
	}
	t.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1+t.ahead.most), zstd.WithDecoderMaxMemory(MaxFrameBytes))
	if err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	t.use(new(unpacked))
	return nil
}

// unpack decompresses the frame that is next, or takes what was made of it ahead.
func (t *Reader) unpack(frame []byte) (err error) {
	if t.ahead.most > 0 && t.header != nil && !t.skips() {
		t.frames.chunk = aheadChunk // from the second frame on: who reads the header alone reads no more
		t.ahead.start(&t.frames, t.dec)
	}
	if u := t.ahead.take(t.offset); u != nil {
		t.ahead.free = append(t.ahead.free, t.frame)
		t.use(u)
	} else {
		t.frame.body = nil
		t.frame.raw, err = decompress(t.dec, frame, t.frame.raw)
	}
	t.decoded += int64(len(t.frame.raw))
	return err
}

func (t *Reader) use(u *unpacked) { t.frame, t.batch = u, &u.batch }

// ahead decodes frames before it is their turn. Its goroutines read nothing from the file, and end by themselves.
type ahead struct {
	most    int         // at once; 0: each frame waits for its turn
	queue   []*unpacked // in the order of the file
	free    []*unpacked
	next    int64 // offset in the file of what is behind the last of the queue
	running sync.WaitGroup
}

// start begins to decode the frames that are read already.
func (a *ahead) start(frames *frameReader, dec *zstd.Decoder) {
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
		u.in, u.at, u.done = append(u.in[:0], frame...), at, make(chan struct{})
		a.queue = append(a.queue, u)
		a.running.Go(func() {
			u.decode(dec)
			close(u.done)
		})
	}
}

func (a *ahead) unused() *unpacked {
	if n := len(a.free); n > 0 {
		u := a.free[n-1]
		a.free = a.free[:n-1]
		return u
	}
	return new(unpacked)
}

// take returns the frame at an offset, nil where it was not decoded ahead or could not be: who
// decodes it then meets the error.
func (a *ahead) take(at int64) *unpacked {
	for len(a.queue) > 0 && a.queue[0].at <= at {
		u := a.queue[0]
		a.queue = append(a.queue[:0], a.queue[1:]...)
		if <-u.done; u.at == at && u.err == nil {
			return u
		}
		a.free = append(a.free, u)
	}
	return nil
}

// forget drops what was decoded.
func (a *ahead) forget() {
	a.running.Wait()
	a.queue, a.next = nil, 0
}

// decode decompresses a frame, and decodes its first batch, if it is sound.
func (u *unpacked) decode(dec *zstd.Decoder) {
	u.body = nil
	if u.raw, u.err = decompress(dec, u.in, u.raw); u.err != nil {
		return
	}
	if body := firstBatch(u.raw); body != nil && u.batch.load(body) == nil {
		u.body = body
	}
	u.batch.done = u.batch.events // until it is its turn
}

// holds reports whether the batch is of this body, decoded already.
func (u *unpacked) holds(body []byte) bool {
	return len(body) > 0 && len(u.body) == len(body) && &u.body[0] == &body[0]
}

// decompress decompresses a frame in the memory of dst, which it makes a quarter larger than
// needed: frames are of about one size.
func decompress(dec *zstd.Decoder, frame, dst []byte) ([]byte, error) {
	if size := contentSize(frame); size > uint64(cap(dst)) && size <= maxAheadContent {
		dst = make([]byte, 0, size+size/4)
	}
	return dec.DecodeAll(frame, dst[:0])
}

// contentSize is what a frame says to hold, bytes; where it says nothing, more than any may.
func contentSize(frame []byte) uint64 {
	var h zstd.Header
	if h.Decode(frame) != nil || !h.HasFCS {
		return MaxFrameBytes + 1
	}
	return h.FrameContentSize
}

// firstBatch finds the first EventBatch in the packets of a frame, nil where there is none.
func firstBatch(raw []byte) []byte {
	for len(raw) > 0 {
		num, typ, n := protowire.ConsumeTag(raw)
		if n < 0 || typ != protowire.BytesType {
			return nil
		}
		packet, size := protowire.ConsumeBytes(raw[n:])
		if size < 0 {
			return nil
		}
		raw = raw[n+size:]
		if num != fieldTracePacket || !bytes.HasPrefix(packet, eventsTag) {
			continue
		}
		if body, n := protowire.ConsumeBytes(packet[len(eventsTag):]); n >= 0 {
			return body
		}
	}
	return nil
}

// eventsTag begins a packet of events.
var eventsTag = protowire.AppendTag(nil, fieldPacketEvents, protowire.BytesType)
