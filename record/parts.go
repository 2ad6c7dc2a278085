// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"crypto/rand"
	"errors"
	"os"
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/proto"
)

// parts describes the files of a rotated recording.
type parts struct {
	header *schema.Header // of the file being written; nil: the recording is one file
	number int            // number in the name of the file being written
	events uint64         // in the files before it
	bytes  int64          // size of the files before it
}

// firstOutput returns the path of the recording's first file. Numbers in names continue after those of an
// earlier recording, so that none of its files is overwritten.
func (c *Config) firstOutput() (string, parts, error) {
	if c.Rotate == 0 {
		return c.Output, parts{}, nil
	}
	numbers, err := tracefile.Parts(c.Output)
	if err != nil {
		return c.Output, parts{}, err
	}
	p := parts{number: 1}
	if len(numbers) > 0 {
		p.number = 1 + numbers[len(numbers)-1]
	}
	return tracefile.PartName(c.Output, p.number), p, nil
}

// nextPart ends the current file at a time, in nanoseconds since boot, and begins the next one. After an error
// the current file is still the one of the session.
func (s *session) nextPart(old *schema.Writer, at uint64) (*schema.Writer, error) {
	if err := s.config.removeOldParts(); err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails
	header := proto.CloneOf(s.parts.header)
	header.Part++
	header.RunId, header.StartBootNs = id, at
	header.StartUnixNs = time.Now().UnixNano() - int64(bpf.Now()) + int64(at)
	file, trace, err := s.config.beginTrace(tracefile.PartName(s.config.Output, s.parts.number+1), header)
	if err != nil {
		return nil, err
	}
	err = old.Close(&schema.Footer{EndNs: at, EndedBy: "rotation"})
	if err == nil {
		err = s.output.close()
	}
	if err != nil {
		s.writer.fail(err) // the file has its end already
		return nil, errors.Join(err, file.remove())
	}
	s.parts = parts{header, s.parts.number + 1, s.parts.events + s.output.wholeEvents, s.parts.bytes + s.output.wholeBytes}
	s.output = file
	return trace, nil
}

// removeOldParts removes the oldest files, so that there are no more than Rotate with the next one. Files that are
// not parts of a rotated recording, or that may not be removed, stay and are not counted.
func (c *Config) removeOldParts() error {
	numbers, err := tracefile.Parts(c.Output)
	if err != nil {
		return err
	}
	var kept []string
	for _, n := range numbers {
		if path := tracefile.PartName(c.Output, n); c.place(path).IsPart() {
			kept = append(kept, path)
		}
	}
	for ; len(kept) >= c.Rotate; kept = kept[1:] {
		if err := os.Remove(kept[0]); err != nil {
			return tracefile.Bare(err)
		}
	}
	return nil
}
