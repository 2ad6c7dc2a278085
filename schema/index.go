// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	indexMagic = 0x184D2A5D // zstd skippable frame, the 14th of 16
	indexHead  = 8          // magic and length
	indexTail  = 5          // Index.size with its tag, the end of the file

	maxIndexBytes = 4 << 20 // some hundred thousand frames
	fieldIdxSize  = 15
)

// ErrNoIndex says that a trace does not end in a seek index: it was cut, or joined with another.
var ErrNoIndex = errors.New("no seek index")

// indexFrame puts the index into its skippable frame.
func indexFrame(x *Index) ([]byte, error) {
	body, err := proto.Marshal(x)
	if err != nil {
		return nil, err
	}
	frame := binary.LittleEndian.AppendUint32(nil, indexMagic)
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(body)+indexTail))
	frame = append(frame, body...)
	frame = protowire.AppendTag(frame, fieldIdxSize, protowire.Fixed32Type)
	return protowire.AppendFixed32(frame, uint32(len(frame)+4)), nil
}

// ReadIndex reads the seek index at the end of a trace of size bytes. With it, the frames of a stretch of
// time are found without reading the others, as each frame can be read by itself. Errors: ErrNoIndex, or
// that of r.
func ReadIndex(r io.ReaderAt, size int64) (*Index, error) {
	var tail [indexTail]byte
	if size < indexHead+indexTail {
		return nil, ErrNoIndex
	}
	if _, err := r.ReadAt(tail[:], size-indexTail); err != nil {
		return nil, fmt.Errorf("read seek index: %w", err)
	}
	length := int64(binary.LittleEndian.Uint32(tail[1:]))
	if length < indexHead+indexTail || length > min(size, maxIndexBytes) {
		return nil, ErrNoIndex
	}
	frame := make([]byte, length)
	if _, err := r.ReadAt(frame, size-length); err != nil {
		return nil, fmt.Errorf("read seek index: %w", err)
	}
	x := &Index{}
	if binary.LittleEndian.Uint32(frame) != indexMagic || int64(binary.LittleEndian.Uint32(frame[4:]))+indexHead != length ||
		proto.Unmarshal(frame[indexHead:], x) != nil || int64(x.Size) != length {
		return nil, ErrNoIndex
	}
	if n := len(x.Offset); len(x.FirstId) != n || len(x.FirstNs) != n || len(x.LastNs) != n {
		return nil, ErrNoIndex
	}
	return x, nil
}
