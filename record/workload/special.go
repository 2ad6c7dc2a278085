// SPDX-License-Identifier: Apache-2.0

//go:build linux

package workload

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Steps that are more than one call, each with its C.

// longPrefix and the 10 digits of the time make a name of 64 bytes, too long for any inline name.
const longPrefix = "test_file_very_long_name_to_force_external_allocation_"

// longName builds the name used by minimal_open.
func longName() step {
	return step{
		source: []string{"char name[65];", `snprintf(name, sizeof(name), "` + longPrefix + `%010ld", (long)time(NULL));`},
		run: func(s *state) error {
			s.names["name"] = fmt.Sprintf("%s%010d", longPrefix, time.Now().Unix())
			return nil
		},
	}
}

// declareName declares a variable for a path in this directory.
func declareName(dir string) step {
	return step{
		source: []string{fmt.Sprintf("char name[%d] = %s;", len(dir)+257, quote(dir))},
		run:    func(s *state) error { s.names["name"] = dir; return nil },
	}
}

// setName puts a name of this many bytes into that variable.
func setName(dir string, bytes int) step {
	path := dir + strings.Repeat("n", bytes)
	s := step{
		source: []string{fmt.Sprintf("memset(name + %d, 'n', %d);", len(dir), bytes), fmt.Sprintf("name[%d + %d] = 0;", len(dir), bytes)},
		run:    func(s *state) error { s.names["name"] = path; return nil },
	}
	if bytes <= unix.NAME_MAX {
		s.extraFiles = []string{path}
	}
	return s
}

const fsCasefoldFlag = 0x40000000 // FS_CASEFOLD_FL of linux/fs.h

// foldCase makes the empty directory whose descriptor is in a variable fold case. The flags it already has
// must be kept.
func foldCase(dir variable) step {
	return step{
		source: []string{"int flags;", "ioctl(" + string(dir) + ", FS_IOC_GETFLAGS, &flags);", "flags |= FS_CASEFOLD_FL;",
			"ioctl(" + string(dir) + ", FS_IOC_SETFLAGS, &flags);"},
		run: func(s *state) error {
			flags, err := unix.IoctlGetInt(s.fds[dir], unix.FS_IOC_GETFLAGS)
			if err == nil {
				err = unix.IoctlSetPointerInt(s.fds[dir], unix.FS_IOC_SETFLAGS, flags|fsCasefoldFlag)
			}
			return callError("fold case in", string(dir), err)
		},
	}
}

// raceFiles is how often the race is run. In a guest, each series of 16 had some in which both threads
// allocated a dentry.
const raceFiles = 48

func raceFile(dir string, i int) string { return fmt.Sprintf("%s/%02d", dir, i) }

// raceTrack creates the directory and the files without opening them.
func raceTrack(dir string, files int) []step {
	s := step{
		source: []string{
			fmt.Sprintf("for (int i = 0; i < %d; i++) {", files),
			"\tchar name[32];",
			fmt.Sprintf("\tsnprintf(name, sizeof(name), %s, i);", quote(dir+"/%02d")),
			"\tmknod(name, S_IFREG | 0644, 0);",
			"}",
		},
		run: func(*state) error {
			var errs []error
			for i := range files {
				errs = append(errs, callError("mknod", raceFile(dir, i), unix.Mknod(raceFile(dir, i), unix.S_IFREG|0o644, 0)))
			}
			return errors.Join(errs...)
		},
	}
	for i := range files {
		s.extraFiles = append(s.extraFiles, raceFile(dir, i))
	}
	return append(dirs(dir), s)
}

// race makes two threads open the files of a directory, the same file at the same time: each waits for the
// other before each open. Both may then find no dentry and allocate one.
func race(dir string, files int) step {
	return step{
		before: []string{
			"static atomic_int here;",
			"",
			"static void *opener(void *unused)",
			"{",
			"\tchar name[32];",
			fmt.Sprintf("\tfor (int i = 0; i < %d; i++) {", files),
			fmt.Sprintf("\t\tsnprintf(name, sizeof(name), %s, i);", quote(dir+"/%02d")),
			"\t\tatomic_fetch_add(&here, 1);",
			"\t\twhile (atomic_load(&here) < 2 * (i + 1))",
			"\t\t\t;",
			"\t\tclose(open(name, O_RDONLY));",
			"\t}",
			"\treturn unused;",
			"}",
			"",
		},
		source: []string{
			"pthread_t a, b;",
			"pthread_create(&a, NULL, opener, NULL);",
			"pthread_create(&b, NULL, opener, NULL);",
			"pthread_join(a, NULL);",
			"pthread_join(b, NULL);",
		},
		run: func(s *state) error {
			var here atomic.Int32
			ends := make(chan error, 2)
			for range cap(ends) {
				go func() {
					runtime.LockOSThread() // and never unlocked, so that the thread ends with the goroutine
					ends <- errors.Join(setComm(s.comm), opener(dir, files, &here))
				}()
			}
			return errors.Join(<-ends, <-ends)
		},
	}
}

func opener(dir string, files int, here *atomic.Int32) error {
	var errs []error
	for i := range files {
		name := raceFile(dir, i)
		here.Add(1)
		for here.Load() < int32(2*(i+1)) {
		}
		fd, err := unix.Open(name, unix.O_RDONLY, 0)
		if err == nil {
			err = unix.Close(fd)
		}
		errs = append(errs, callError("open", name, err))
	}
	return errors.Join(errs...)
}

// callError wraps the error of a call with its name and path; nil if there is none.
func callError(call, path string, err error) error {
	if err != nil {
		return fmt.Errorf("%s %s: %w", call, path, err)
	}
	return nil
}
