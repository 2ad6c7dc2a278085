// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"fmt"
	"io"
	"os"

	"github.com/dtrec/dtrec/schema"
)

// A trace is a stream of records; an event is one hit of a probe.
func ExampleReader() {
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
	missing := 0
	for rec, err := r.Next(); err != io.EOF; rec, err = r.Next() {
		if e, ok := rec.(*schema.Event); ok && e.Role == schema.RoleOpen && e.Phase == schema.Exit && schema.ErrnoName(e.Errno()) == "ENOENT" {
			missing++
		}
	}
	fmt.Println(missing > 0, r.Complete())
	// Output: true true
}
