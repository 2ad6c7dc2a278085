// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"fmt"
	"io"
	"os"
	"time"

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

// growing is a file whose reader waits at the end for what is still being written.
type growing struct{ *os.File }

func (g growing) Read(p []byte) (int, error) {
	for {
		n, err := g.File.Read(p)
		if n > 0 || err != io.EOF {
			return n, err
		}
		time.Sleep(time.Millisecond)
	}
}

// A trace can be read while it is written: every event as soon as its batch is on disk, until the footer
// says that the recording has ended.
func ExampleReader_follow() {
	file, err := os.CreateTemp("", "dtrec-example-*.pb")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(file.Name())
	defer file.Close()
	go func() { // a recorder
		sample, err := os.ReadFile("../traces/run1.pb")
		for i := 0; err == nil && i < len(sample); i += 4096 {
			_, err = file.Write(sample[i:min(i+4096, len(sample))])
		}
	}()
	follow, err := os.Open(file.Name())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer follow.Close()
	r, err := schema.NewReader(growing{follow}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	events := 0
	for {
		record, err := r.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		switch record.(type) {
		case *schema.Event:
			events++
		case *schema.Footer:
			fmt.Println(events, "events")
			return
		}
	}
	// Output: 1298 events
}
