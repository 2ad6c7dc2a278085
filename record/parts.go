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

// parts are the files of a recording that is kept as several.
type parts struct {
	header *schema.Header // of the one being written; nil: the recording is one file
	number int            // in its name
	events uint64         // in those before it
	bytes  int64
}

// firstOutput is the file that a recording begins with. The numbers in names go on from what an
// earlier recording left there, so that nothing of it is written over.
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

// nextPart ends the file at a time, nanoseconds since boot, and begins the next one. With an
// error the recording stays in the file it was in.
func (s *session) nextPart(old *schema.Writer, at uint64) (*schema.Writer, error) {
	if err := s.config.makeRoom(); err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails
	header := proto.CloneOf(s.parts.header)
	header.Part++
	header.RunId, header.StartBootNs = id, at
	header.StartUnixNs = time.Now().UnixNano() - int64(bpf.Now()) + int64(at)
	file, trace, err := s.config.begin(tracefile.PartName(s.config.Output, s.parts.number+1), header)
	if err != nil {
		return nil, err
	}
	err = old.Close(&schema.Footer{EndNs: at, EndedBy: "rotation"})
	if err == nil {
		err = s.output.close()
	}
	if err != nil {
		return nil, errors.Join(err, file.remove())
	}
	s.parts = parts{header, s.parts.number + 1, s.parts.events + s.output.kept, s.parts.bytes + s.output.good}
	s.output = file
	return trace, nil
}

// makeRoom removes the oldest files, so that with the next one there are no more than Rotate.
// What is not a file of such a recording, or is not ours to remove, stays and is not counted.
func (c *Config) makeRoom() error {
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
