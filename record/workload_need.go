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

// needDisk wants the directories of the files on a filesystem that can evict
// dentries: tmpfs and ramfs pin them, and drop_caches shows nothing.
func needDisk(paths ...string) need {
	return func() error {
		for _, p := range paths {
			var s unix.Statfs_t
			dir := filepath.Dir(p)
			if err := unix.Statfs(dir, &s); err != nil {
				return fmt.Errorf("statfs %s: %w", dir, err)
			}
			if s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC {
				return &NeedError{
					What:   fmt.Sprintf("%s is in memory (tmpfs), where drop_caches evicts nothing", absolute(dir)),
					Remedy: "use a directory on a disk filesystem, or record in a virtual machine with 'dtrec vm'",
				}
			}
		}
		return nil
	}
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

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
	for _, w := range list {
		for _, need := range w.needs {
			if err := need(); err != nil {
				return fmt.Errorf("workload %s: %w", w.Name, err)
			}
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

// cleanWorkloads removes the files the workloads make, and those that must be absent.
func cleanWorkloads(list []Workload) error {
	for _, path := range workloadFiles(list) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clean up: %w", err)
		}
	}
	return nil
}

// clean removes what the workloads left. Only after the recording, or it would be in it.
func (c *Config) clean() error {
	list, err := selectWorkloads(c.Workloads)
	if err != nil {
		return err
	}
	return cleanWorkloads(list)
}

// workloadFiles lists the files made, and those opened as missing.
func workloadFiles(list []Workload) []string {
	var paths []string
	for _, w := range list {
		for _, s := range w.steps {
			switch s := s.(type) {
			case creat:
				paths = append(paths, s.path)
			case open:
				if s.missing {
					paths = append(paths, s.path)
				}
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
