// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// race has two threads open the files of a directory, the same one at the same time:
// each waits for the other before each open. Both may then find the dentry missing
// and allocate one.
type race struct {
	dir   string
	files int // named 00, 01 …
}

func (r race) run(s *state) error {
	var here atomic.Int32
	ends := make(chan error, 2)
	for range cap(ends) {
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends here
			ends <- errors.Join(setComm(s.comm), r.opener(&here))
		}()
	}
	return errors.Join(<-ends, <-ends)
}

func (r race) opener(here *atomic.Int32) error {
	var errs []error
	for i := range r.files {
		name := r.file(i)
		here.Add(1)
		for here.Load() < int32(2*(i+1)) {
		}
		fd, err := unix.Open(name, unix.O_RDONLY, 0)
		if err == nil {
			err = unix.Close(fd)
		}
		errs = append(errs, failed("open", name, err))
	}
	return errors.Join(errs...)
}

func (r race) file(i int) string { return fmt.Sprintf("%s/%02d", r.dir, i) }

// create makes the files.
func (r race) create() []step {
	steps := []step{mkdir(r.dir)}
	for i := range r.files {
		steps = append(steps, creat{r.file(i)})
	}
	return steps
}

func (r race) source() []string {
	return []string{
		"pthread_t a, b;",
		"pthread_create(&a, NULL, opener, NULL);",
		"pthread_create(&b, NULL, opener, NULL);",
		"pthread_join(a, NULL);",
		"pthread_join(b, NULL);",
	}
}

// before is what stands before main.
func (r race) before() []string {
	return []string{
		"static atomic_int here;",
		"",
		"static void *opener(void *unused)",
		"{",
		"\tchar name[32];",
		fmt.Sprintf("\tfor (int i = 0; i < %d; i++) {", r.files),
		fmt.Sprintf("\t\tsnprintf(name, sizeof(name), %s, i);", quote(r.dir+"/%02d")),
		"\t\tatomic_fetch_add(&here, 1);",
		"\t\twhile (atomic_load(&here) < 2 * (i + 1))",
		"\t\t\t;",
		"\t\tclose(open(name, O_RDONLY));",
		"\t}",
		"\treturn unused;",
		"}",
		"",
	}
}
