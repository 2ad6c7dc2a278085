// SPDX-License-Identifier: Apache-2.0

//go:build linux

package workload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// need is something a workload requires of the machine. It returns a *NeedError if the machine lacks it.
type need func() error

// NeedError says what a workload lacks and how to get it.
type NeedError struct {
	What   string
	Remedy string
}

// Error says what is lacking.
func (e *NeedError) Error() string { return e.What }

const loopRemedy = "make an ext2 image with a.txt in it and mount it there, or record in a virtual machine with 'dtrec vm'"

// needLoop requires a filesystem of type ext2, ext3 or ext4 mounted on /mnt/loopfs, with the file in it.
func needLoop() error {
	if !ext4Mounted(loopMount) {
		return &NeedError{What: "no ext2 filesystem is mounted on " + loopMount, Remedy: loopRemedy}
	}
	if _, err := os.Stat(loopFile); err != nil {
		return &NeedError{What: "there is no " + loopFile, Remedy: loopRemedy}
	}
	return nil
}

const casefoldRemedy = "mount an ext4 made with 'mke2fs -O casefold' there, or record in a virtual machine with 'dtrec vm'"

// needCasefold requires an ext4 mounted on /mnt/casefold and a kernel that supports case folding.
func needCasefold() error {
	if _, err := os.Stat("/sys/fs/ext4/features/casefold"); err != nil {
		return &NeedError{What: "this kernel has no ext4 that folds case (CONFIG_UNICODE)", Remedy: "take a kernel that has, such as Debian's from 6.1 on"}
	}
	if !ext4Mounted(casefoldMount) {
		return &NeedError{What: "no ext4 filesystem is mounted on " + casefoldMount, Remedy: casefoldRemedy}
	}
	return nil
}

// ext4Mounted reports whether a filesystem of the ext family is mounted on a directory.
func ext4Mounted(dir string) bool {
	var here, above unix.Stat_t
	var s unix.Statfs_t
	return unix.Stat(dir, &here) == nil && unix.Stat(filepath.Dir(dir), &above) == nil && unix.Statfs(dir, &s) == nil &&
		here.Dev != above.Dev && s.Type == unix.EXT4_SUPER_MAGIC
}

// checkNeeds returns an error for the first need that is not met, or nil.
func (p *Program) checkNeeds() error {
	for _, need := range p.needs {
		if err := need(); err != nil {
			return fmt.Errorf("workload %s: %w", p.Name, err)
		}
	}
	return nil
}

// needRoot requires root, because only root may write drop_caches.
func needRoot() error {
	if os.Geteuid() == 0 {
		return nil
	}
	return &NeedError{What: "workloads write " + dropCaches + ", which takes root", Remedy: "run it with sudo"}
}

// Prepare checks what the programs need, removes their files from an earlier run, and evicts the negative
// dentries that this leaves, so that each program begins as intended.
func Prepare(list []Program) error {
	if err := needRoot(); err != nil {
		return err
	}
	for i := range list {
		if err := list[i].checkNeeds(); err != nil {
			return err
		}
	}
	if err := Clean(list); err != nil {
		return err
	}
	return runSteps(dropUsed(), &state{fds: make(map[variable]int)})
}

// Remarks returns what a user should know about the programs about to be recorded: those left out, and the
// directories in which dropping the caches has no effect.
func Remarks(list []Program, absent []error) []string {
	var out []string
	for _, err := range absent {
		out = append(out, "left out: "+err.Error())
	}
	var seen []string
	for _, path := range files(list) {
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

// Clean removes the files that the programs create or expect to be absent: files before the directories they
// are in.
func Clean(list []Program) error {
	for _, path := range slices.Backward(files(list)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clean up: %w", err)
		}
	}
	return nil
}

// files lists the files that the programs create or open as missing, sorted, so that a directory comes before
// its contents.
func files(list []Program) []string {
	var paths []string
	for _, p := range list {
		for i := range p.steps {
			paths = append(paths, p.steps[i].createdFiles()...)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
