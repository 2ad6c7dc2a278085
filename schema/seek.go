// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"io"
	"sort"
)

// Seeker reads one run of a trace from the middle: from the frame that has an event according to the seek
// index, or from the beginning if there is no index or it is wrong.
type Seeker struct {
	file  io.ReaderAt
	size  int64
	run   int
	index *Index // nil: none for this run
	r     *Reader
}

// NewSeeker returns a Seeker for a run of a file of size bytes. Runs are counted as in NewReader. It must
// be closed.
func NewSeeker(file io.ReaderAt, size int64, run int) *Seeker {
	s := &Seeker{file: file, size: size, run: run}
	if run == 0 { // in a file of several runs the index is of the last one
		s.index, _ = ReadIndex(file, size)
	}
	return s
}

// At returns a reader whose next event is the given one, or one before it. The reader is valid until the
// next call.
func (s *Seeker) At(id uint64) (*Reader, error) {
	if i := s.frame(id); i > 0 && s.r != nil {
		at := int64(s.index.Offset[i])
		if s.r.resumeAt(io.NewSectionReader(s.file, at, s.size-at), at, s.index.FirstId[i]) {
			return s.r, nil
		}
		s.index = nil // the index is wrong
	}
	s.Close()
	r, err := NewReader(io.NewSectionReader(s.file, 0, s.size), s.run)
	if err != nil {
		return nil, err
	}
	r.ahead.most = 0 // not worth it, as only a frame or two are read
	s.r = r
	if s.frame(id) > 0 {
		return s.At(id)
	}
	return r, nil
}

// frame returns the number, from 0, of the frame with the event; -1 if it is not known.
func (s *Seeker) frame(id uint64) int {
	if s.index == nil {
		return -1
	}
	return sort.Search(len(s.index.FirstId), func(i int) bool { return s.index.FirstId[i] > id }) - 1
}

// Close frees the reader.
func (s *Seeker) Close() {
	if s.r != nil {
		s.r.Close()
		s.r = nil
	}
}

// resumeAt makes the reader go on in r, which begins at offset in the file, with a frame of events from firstID
// on. It reports whether there is such a frame.
func (t *Reader) resumeAt(r io.Reader, offset int64, firstID uint64) bool {
	t.frames = frameReader{r: r, mem: t.frames.mem, off: offset}
	t.rest, t.ready, t.damage, t.footer, t.stopErr = nil, nil, nil, nil, nil
	t.batch.events, t.batch.done, t.nextID, t.decoded = 0, 0, firstID, 0
	for t.stopErr == nil && t.damage == nil && t.batch.events == 0 && len(t.ready) == 0 {
		t.advance()
	}
	return t.batch.events > 0 && t.batch.firstID == firstID && t.damage == nil && len(t.ready) == 0
}
