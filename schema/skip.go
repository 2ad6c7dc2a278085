// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// ErrIndex ends a reading that skipped frames if the seek index turns out to be wrong.
var ErrIndex = errors.New("its seek index names other events than the frames hold")

// NewReaderAt is NewReader for a file of size bytes, in which Skip can skip frames.
func NewReaderAt(file io.ReaderAt, size int64, run int) (*Reader, error) {
	whole := io.NewSectionReader(file, 0, size)
	x, err := ReadIndex(file, size)
	if run != 0 || err != nil || !x.matchesFile(file, size) { // in a file of several runs the index is of the last one
		return NewReader(whole, run)
	}
	t, err := newReader(frameReader{r: whole, sparing: true}, run)
	if err == nil {
		t.file, t.size, t.index = file, size, x
	}
	return t, err
}

// Index returns the seek index by which frames can be skipped; nil: there is none.
func (t *Reader) Index() *Index { return t.index }

// Skip makes the reader ask for every frame with events, in order, whether it is wanted, and skip it unread
// if not. What is between such frames is read. It must not be called if Index returns nil.
func (t *Reader) Skip(wanted func(frame int) bool) { t.wantedFrame = wanted }

// skipsFrames reports whether the reader asks before it reads a frame.
func (t *Reader) skipsFrames() bool { return t.wantedFrame != nil }

// matchesFile reports whether frames begin where the index says, judging by their first bytes.
func (x *Index) matchesFile(file io.ReaderAt, size int64) bool {
	if len(x.Bytes) != len(x.Offset) || len(x.Events) != len(x.Offset) || len(x.Holds) != 0 && len(x.Holds) != len(x.Offset) {
		return false
	}
	end, id := uint64(0), uint64(1)
	for i, at := range x.Offset {
		var magic [4]byte
		if at < end || x.Bytes[i] > MaxFrameBytes || at+x.Bytes[i] > uint64(size) || x.FirstId[i] < id || x.FirstId[i] >= maxID {
			return false
		}
		if _, err := file.ReadAt(magic[:], int64(at)); err != nil || binary.LittleEndian.Uint32(magic[:]) != zstdMagic {
			return false
		}
		end, id = at+x.Bytes[i], x.FirstId[i]+uint64(x.Events[i])
	}
	return true
}

// frameAt returns the number of the first frame that begins at an offset or after it.
func (x *Index) frameAt(offset int64) int {
	i, _ := slices.BinarySearch(x.Offset, uint64(offset))
	return i
}

// matchesBatch reports whether a batch is the one that the index has at the offset.
func (x *Index) matchesBatch(offset int64, b *batchReader) bool {
	i := x.frameAt(offset)
	return i == len(x.Offset) || x.Offset[i] != uint64(offset) || x.FirstId[i] == b.firstID && int(x.Events[i]) == b.events
}

// skipFrames skips the frames here that are not wanted.
func (t *Reader) skipFrames() {
	x := t.index
	at := t.frames.off + int64(t.frames.frame)
	first, passed := x.frameAt(at), uint64(0)
	i := first
	for ; i < len(x.Offset) && x.Offset[i] == uint64(at) && !t.wantedFrame(i); i++ {
		passed += uint64(x.Events[i])
		at += int64(x.Bytes[i])
	}
	if i == first {
		return
	}
	if x.FirstId[first] < t.nextID {
		t.stop(ErrIndex)
		return
	}
	if x.FirstId[first] > t.nextID {
		t.reportGap(x.FirstId[first])
	}
	t.nextID = x.FirstId[i-1] + uint64(x.Events[i-1])
	t.ready = append(t.ready, &Skipped{Events: passed})
	t.frames = frameReader{r: io.NewSectionReader(t.file, at, t.size-at), mem: t.frames.mem, off: at, work: t.frames.work, sparing: true}
}
