// SPDX-License-Identifier: Apache-2.0

package schema

// Record is one thing read from a trace: *Event, *Loss, *Program, *Damage, *Skipped or
// *Footer.
type Record interface{ record() }

func (*Event) record()   {}
func (*Loss) record()    {}
func (*Program) record() {}
func (*Damage) record()  {}
func (*Footer) record()  {}

// Damage is a stretch of the file that could not be read. Events after it are.
type Damage struct {
	Offset int64  // where it begins in the file, bytes
	Bytes  int64  // how many bytes were passed over
	Events uint64 // how many events it took, from the gap in the ids; 0 where not known
	Cut    bool   // the file ends inside it
	Behind bool   // it is behind the footer: no event is missing
	Err    error  // what was wrong
}

// Skipped is events that the reader passed over by the seek index. They are not missing, and
// whether their frames are damaged is not known.
type Skipped struct{ Events uint64 }

func (*Skipped) record() {}
