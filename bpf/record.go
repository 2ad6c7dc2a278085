// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/dtrec/dtrec/schema"
)

// What stands where in struct head of record.h, bytes.
const (
	headTGID, headTID, headComm    = 8, 12, 16
	headFacts, headStored, headCPU = 32, 34, 36
	headRole, headPhase            = 38, 39
	headSize                       = 40
	commSize                       = 16 // TASK_COMM_LEN
	fstypeSize                     = 16
)

var errShortRecord = errors.New("record is cut short")

// Decoder takes records to the columns of a trace.
type Decoder struct {
	sender *schema.Sender
	sent   schema.Sent
	comms  map[[2]uint64]string // names of tasks, by their words
	some   bool                 // there was one before, of a task with these
	ids    uint64
	words  [2]uint64
}

// NewDecoder returns a decoder that asks typeOf once for the name of each struct
// file_system_type: see Session.FilesystemType; and groupOf for the path of a cgroup: see CgroupPaths.
func NewDecoder(typeOf, groupOf func(uint64) string) *Decoder {
	return &Decoder{sender: schema.NewSender(typeOf, groupOf), comms: make(map[[2]uint64]string)}
}

// Append adds a record to a trace. An error is one of the trace, or says that the catalogue does not have such a record;
// nothing is added then.
func (d *Decoder) Append(to *schema.Writer, record []byte) error {
	if len(record) < headSize {
		return errShortRecord
	}
	le, e := binary.LittleEndian, &d.sent
	h := record[:headSize]
	e.Time, e.PID, e.TID = le.Uint64(h), le.Uint32(h[headTGID:]), le.Uint32(h[headTID:])
	ids, comm := le.Uint64(h[headTGID:]), [2]uint64{le.Uint64(h[headComm:]), le.Uint64(h[headComm+8:])}
	if e.SameTask = ids == d.ids && comm == d.words && d.some; !e.SameTask {
		d.ids, d.words, e.Comm = ids, comm, d.commOf(comm, h[headComm:][:commSize])
	}
	e.Facts, e.Stored, e.CPU = schema.Fact(le.Uint16(h[headFacts:])), int(le.Uint16(h[headStored:])), uint32(le.Uint16(h[headCPU:]))
	e.Role, e.Phase = schema.Role(h[headRole]), schema.Phase(h[headPhase])
	e.Rest = record[headSize:]
	e.Text = view(e.Rest)
	err := d.sender.Append(to, e)
	d.some = err == nil
	return err
}

// commOf is the name of a task: there are few at a time.
func (d *Decoder) commOf(words [2]uint64, name []byte) string {
	comm, ok := d.comms[words]
	if !ok {
		if len(d.comms) >= maxComms {
			clear(d.comms)
		}
		comm = string(cString(name))
		d.comms[words] = comm
	}
	return comm
}

const maxComms = 4096

// cString cuts b before its first NUL.
func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
