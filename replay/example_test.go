// SPDX-License-Identifier: Apache-2.0

package replay_test

import (
	"fmt"
	"os"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// The state pairs each exit with its entry, and knows the dentry behind an address: this
// prints every open of a missing file by tm_miss, and the dentry that its name has.
func ExampleState() {
	file, err := os.Open("../traces/run1.pb")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	r, err := schema.NewReader(file, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	state := replay.New(r.Header())
	for rec, err := r.Next(); err == nil; rec, err = r.Next() {
		e, ok := rec.(*schema.Event)
		if !ok {
			continue
		}
		s := state.Event(e)
		if e.Role == schema.RoleOpen && e.Phase == schema.Exit && e.Comm == "tm_miss" && s.Call != nil && e.Errno() != 0 {
			fmt.Println(s.Call.Enter.Name, schema.ErrnoName(e.Errno()))
		}
	}
	// Output:
	// /tmp/t_m.txt ENOENT
	// /tmp/t_m.txt ENOENT
}
