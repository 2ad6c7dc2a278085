// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Workload is a small program as data: it is both run and printed as C.
type Workload struct {
	Name     string // also its task_struct.comm
	Doc      string // what it shows
	steps    []step
	needs    []need
	optional bool // "all" does without it where a need is not met
	apart    bool // "all" is without it
}

// The files the workloads work on. Relative names are in the working directory.
const (
	fileLocal   = "l_e.txt"
	fileTmp     = "/tmp/t_e.txt"
	missTmp     = "/tmp/t_m.txt"
	missLocal   = "l_m.txt"
	loopMount   = "/mnt/loopfs"
	loopFile    = loopMount + "/a.txt"
	loopMissing = loopMount + "/none.txt"

	longPrefix = "test_file_very_long_name_to_force_external_allocation_" // 10 digits of time follow: 64 bytes
)

// Workloads lists the built-in workloads in the order --workload all runs them.
func Workloads() []Workload { return append(seedWorkloads(), pathWorkloads()...) }

// seedWorkloads are the ten programs, and a_miss_enoent.
func seedWorkloads() []Workload {
	both := []string{fileLocal, fileTmp}
	return []Workload{
		{Name: "minimal_open", Doc: "a name too long for the dentry: created, closed, removed",
			steps: []step{longName{}, open{name: "name", flags: unix.O_RDWR | unix.O_CREAT, mode: 0o644, fd: "fd"},
				closeFD("fd"), unlink{name: "name"}}},
		{Name: "te_miss", Doc: "a file that exists is opened after its dentry was evicted",
			steps: join(create(fileTmp), drop(), openClose("fd", fileTmp))},
		{Name: "tm_miss", Doc: "a missing file is opened twice: the second time its absence is cached",
			steps: join(drop(),
				[]step{open{path: missTmp, fd: "fd1", errno: unix.ENOENT}, printFD{"tm_miss first open fd=%d\n", "fd1"},
					open{path: missTmp, fd: "fd2", errno: unix.ENOENT}, printFD{"tm_miss second open fd=%d\n", "fd2"}})},
		{Name: "lm_miss", Doc: "a missing file is opened by a relative name",
			steps: join(drop(), []step{open{path: missLocal, errno: unix.ENOENT}})},
		{Name: "a_miss", Doc: "a file on another filesystem is opened after its dentry was evicted",
			steps: join(drop(), openClose("fd", loopFile)), needs: needs(needLoop(loopFile))},
		{Name: "a_miss_enoent", Doc: "a missing file on another filesystem is opened",
			steps: join(drop(), []step{open{path: loopMissing, errno: unix.ENOENT}}), needs: needs(needLoop(loopFile))},
		{Name: "hits", Doc: "two files are opened, and opened again: the same dentries",
			steps: join(create(both...), drop(), openBoth("", "_again"))},
		{Name: "delete", Doc: "two files are opened and removed",
			steps: join(create(both...), openBoth(""), []step{unlink{path: fileLocal}, unlink{path: fileTmp}})},
		{Name: "evict", Doc: "two files are opened, then the caches are dropped",
			steps: join(create(both...), openBoth(""), dropUsed())},
		{Name: "rebuild", Doc: "one of two evicted files is opened again: a new dentry",
			steps: join(create(both...), openBoth(""), dropUsed(), openClose("fd", fileTmp))},
		{Name: "post", Doc: "the other of two evicted files is opened again: a new dentry",
			steps: join(create(both...), openBoth(""), dropUsed(), openClose("fd", fileLocal))},
	}
}

func join(parts ...[]step) []step { return slices.Concat(parts...) }

// create makes the files and closes them.
func create(paths ...string) []step {
	var steps []step
	for _, p := range paths {
		steps = append(steps, creat{p})
	}
	return steps
}

// drop writes dirty data back and asks the kernel to free dentries and inodes.
func drop() []step {
	return []step{syncAll{}, open{path: dropCaches, flags: unix.O_WRONLY, fd: "drop"}, writeFD{"drop", "2\n"}, closeFD("drop")}
}

// dropUsed evicts also what was used twice: such a dentry carries DCACHE_REFERENCED,
// which a first pass only takes away. How many passes one write makes depends on how
// much the first one frees. The offset 0 is what the kernel insists on.
func dropUsed() []step {
	return []step{syncAll{}, open{path: dropCaches, flags: unix.O_WRONLY, fd: "drop"},
		writeFD{"drop", "2\n"}, pwriteFD{"drop", "2\n"}, closeFD("drop")}
}

func openClose(fd, path string) []step { return []step{open{path: path, fd: fd}, closeFD(fd)} }

// openBoth opens the two files and closes them, once for each suffix of the variables.
func openBoth(suffixes ...string) []step {
	var steps []step
	for _, s := range suffixes {
		steps = append(steps, open{path: fileLocal, fd: "l" + s}, open{path: fileTmp, fd: "t" + s},
			closeFD("l"+s), closeFD("t"+s))
	}
	return steps
}

// WorkloadNames lists the names in order.
func WorkloadNames() []string {
	var names []string
	for _, w := range Workloads() {
		names = append(names, w.Name)
	}
	return names
}

// FindWorkload returns the workload of that name.
func FindWorkload(name string) (Workload, error) {
	for _, w := range Workloads() {
		if w.Name == name {
			return w, nil
		}
	}
	return Workload{}, &UnknownWorkloadError{name}
}

// UnknownWorkloadError says that there is no workload of that name.
type UnknownWorkloadError struct{ Name string }

// Error names it.
func (e *UnknownWorkloadError) Error() string { return fmt.Sprintf("no workload %q", e.Name) }

// selectWorkloads resolves names, in the order given. "all" is every one that does
// not run apart; of those, absent are the optional ones this machine cannot run.
func selectWorkloads(names []string) (list []Workload, absent []error, err error) {
	for _, name := range names {
		if name == "all" {
			for _, w := range Workloads() {
				switch lacks := w.lacks(); {
				case w.apart:
				case w.optional && lacks != nil:
					absent = append(absent, lacks)
				default:
					list = append(list, w)
				}
			}
			continue
		}
		w, err := FindWorkload(strings.TrimSpace(name))
		if err != nil {
			return nil, nil, err
		}
		list = append(list, w)
	}
	return list, absent, nil
}

// lacks returns the first need that is not met, nil if all are.
func (w *Workload) lacks() error {
	for _, need := range w.needs {
		if err := need(); err != nil {
			return fmt.Errorf("workload %s: %w", w.Name, err)
		}
	}
	return nil
}

// Source returns the program as lines of C: the body of its main, or where something
// has to stand before main the whole of it without the includes.
func (w *Workload) Source() []string {
	var before, lines []string
	for _, s := range w.steps {
		if s, ok := s.(interface{ before() []string }); ok {
			before = append(before, s.before()...)
		}
		lines = append(lines, s.source()...)
	}
	if before == nil {
		return lines
	}
	for i := range lines {
		lines[i] = "\t" + lines[i]
	}
	return slices.Concat(before, []string{"int main(void)", "{"}, lines, []string{"}"})
}
