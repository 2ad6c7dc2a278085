// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// need is something a workload wants of the machine.
type need func() error

func needs(list ...need) []need { return list }

// NeedError says what a workload lacks, and what would help.
type NeedError struct {
	What   string
	Remedy string
}

// Error says what is lacking.
func (e *NeedError) Error() string { return e.What }

const loopRemedy = "make an ext2 image with a.txt in it and mount it there, or record in a virtual machine with 'dtrec vm'"

// needLoop wants an ext2, 3 or 4 mounted on /mnt/loopfs, with the file in it.
func needLoop(path string) need {
	return func() error {
		var here, above unix.Stat_t
		var s unix.Statfs_t
		if unix.Stat(loopMount, &here) != nil || unix.Stat(filepath.Dir(loopMount), &above) != nil ||
			unix.Statfs(loopMount, &s) != nil || here.Dev == above.Dev || s.Type != unix.EXT4_SUPER_MAGIC {
			return &NeedError{What: "no ext2 filesystem is mounted on " + loopMount, Remedy: loopRemedy}
		}
		if _, err := os.Stat(path); err != nil {
			return &NeedError{What: "there is no " + path, Remedy: loopRemedy}
		}
		return nil
	}
}

const casefoldRemedy = "mount an ext4 made with 'mke2fs -O casefold' there, or record in a virtual machine with 'dtrec vm'"

// needCasefold wants an ext4 mounted on /mnt/casefold, and a kernel that folds case.
func needCasefold() error {
	var here, above unix.Stat_t
	var s unix.Statfs_t
	if _, err := os.Stat("/sys/fs/ext4/features/casefold"); err != nil {
		return &NeedError{What: "this kernel has no ext4 that folds case (CONFIG_UNICODE)", Remedy: "take a kernel that has, such as Debian's from 6.1 on"}
	}
	if unix.Stat(casefoldMount, &here) != nil || unix.Stat(filepath.Dir(casefoldMount), &above) != nil ||
		unix.Statfs(casefoldMount, &s) != nil || here.Dev == above.Dev || s.Type != unix.EXT4_SUPER_MAGIC {
		return &NeedError{What: "no ext4 filesystem is mounted on " + casefoldMount, Remedy: casefoldRemedy}
	}
	return nil
}

// needRoot: drop_caches is root's.
func needRoot() error {
	if os.Geteuid() == 0 {
		return nil
	}
	return &NeedError{What: "workloads write " + dropCaches + ", which takes root", Remedy: "run it with sudo"}
}

// prepareWorkloads checks what the workloads need, removes their files of an earlier
// run, and the negative dentries that leaves: each begins as it was meant to.
func prepareWorkloads(list []Workload) error {
	if err := needRoot(); err != nil {
		return err
	}
	for i := range list {
		if err := list[i].lacks(); err != nil {
			return err
		}
	}
	if err := cleanWorkloads(list); err != nil {
		return err
	}
	s := &state{fds: make(map[string]int)}
	for _, step := range dropUsed() {
		if err := step.run(s); err != nil {
			return err
		}
	}
	return nil
}

// remarks are what a user should know of the workloads about to be recorded: those
// left out, and the directories where the caches cannot be dropped.
func remarks(list []Workload, absent []error) []string {
	var out []string
	for _, err := range absent {
		out = append(out, "left out: "+err.Error())
	}
	var seen []string
	for _, path := range workloadFiles(list) {
		var s unix.Statfs_t
		dir := absolute(filepath.Dir(path))
		if slices.Contains(seen, dir) || unix.Statfs(dir, &s) != nil {
			continue
		}
		seen = append(seen, dir)
		if s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC {
			out = append(out, dir+" is in memory (tmpfs): drop_caches evicts nothing there, and a missing name is not cached")
		}
	}
	return out
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// cleanWorkloads removes what the workloads make, and what must be absent: files
// before the directories they are in.
func cleanWorkloads(list []Workload) error {
	for _, path := range slices.Backward(workloadFiles(list)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clean up: %w", err)
		}
	}
	return nil
}

// clean removes what the workloads left. Only after the recording, or it would be in it.
func (c *Config) clean() error {
	list, _, err := selectWorkloads(c.Workloads)
	if err != nil {
		return err
	}
	return cleanWorkloads(list)
}

// workloadFiles lists what the workloads make, and what they open as missing, sorted:
// a directory comes before what is in it.
func workloadFiles(list []Workload) []string {
	var paths []string
	for _, w := range list {
		for _, s := range w.steps {
			if s, ok := s.(maker); ok {
				paths = append(paths, s.makes()...)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
