// SPDX-License-Identifier: Apache-2.0

package schema

// Record is one thing read from a trace: *Event, *Loss, *Program, *Damage, *Skipped or *Footer.
type Record interface{ record() }

func (*Event) record()   {}
func (*Loss) record()    {}
func (*Program) record() {}
func (*Damage) record()  {}
func (*Footer) record()  {}

// Damage is a stretch of the file that could not be read. Reading goes on after it.
type Damage struct {
	Offset int64  // where it begins in the file, bytes
	Bytes  int64  // how many bytes were skipped
	Events uint64 // how many events it cost, from the gap in the ids; 0 if not known
	Cut    bool   // the file ends inside it
	Behind bool   // it is behind the footer: no event is missing
	Err    error  // what was wrong
}

// Skipped counts events that the reader skipped because of the seek index. They are not missing, but
// whether their frames are damaged is not known.
type Skipped struct{ Events uint64 }

func (*Skipped) record() {}
