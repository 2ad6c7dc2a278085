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

// raceTrack makes the directory and the files, without an open.
type raceTrack struct{ race }

func (r raceTrack) run(s *state) error {
	errs := []error{mkdir(r.dir).run(s)}
	for i := range r.files {
		errs = append(errs, failed("mknod", r.file(i), unix.Mknod(r.file(i), unix.S_IFREG|0o644, 0)))
	}
	return errors.Join(errs...)
}

func (r raceTrack) source() []string {
	return append(mkdir(r.dir).source(),
		fmt.Sprintf("for (int i = 0; i < %d; i++) {", r.files),
		"\tchar name[32];",
		fmt.Sprintf("\tsnprintf(name, sizeof(name), %s, i);", quote(r.dir+"/%02d")),
		"\tmknod(name, S_IFREG | 0644, 0);",
		"}")
}

// before: the threads' function stands before main once.
func (r raceTrack) before() []string { return nil }

func (r raceTrack) makes() []string {
	paths := []string{r.dir}
	for i := range r.files {
		paths = append(paths, r.file(i))
	}
	return paths
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
