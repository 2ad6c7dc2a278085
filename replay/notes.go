// SPDX-License-Identifier: Apache-2.0

package replay

import "github.com/dtrec/dtrec/schema"

// Notes holds what the code that judges opens keeps about a dentry. The state does not read it.
type Notes struct {
	Missing      uint64      // exit of the open or call that returned ENOENT and left it negative in the cache
	By           schema.Role // role of that exit
	Comm         string      // the program that opened it last
	KillerPID    uint32      // the process that killed it
	KilledInside bool        // it did so inside an open
	Claim        int         // what a later lookup adds to, as the owner numbers it; 0: nothing
}

// Note returns the notes on the dentry, for writing. It makes them if there are none.
func (d *Object) Note() *Notes {
	switch {
	case d.Notes != nil:
	case d.notes != nil:
		*d.notes = Notes{}
		d.Notes, d.notes = d.notes, nil
	default:
		d.Notes = &Notes{}
	}
	return d.Notes
}
