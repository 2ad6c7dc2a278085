// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// rotationRun lists the files after a recording in several files, and after the next one there.
type rotationRun struct {
	First, Next []madeFile
}

// madeFile is one of the files.
type madeFile struct {
	Name  string
	Owner uint32
}

// rotation records the same work twice at once: to one file, and for the user who called sudo to
// several files in a directory of that user. Then another recording there keeps the last two files.
func rotation(dir string) any {
	const place = "/tmp/rotation"
	check(os.Mkdir(place, 0o700))
	check(os.Chown(place, 65534, 65534))
	a := newActor("rotor")
	one := record(fewRolesArgs("--comm", "rotor", "-o", filepath.Join(dir, "one.pb"))...)
	rotated(place, "99", a)
	run := rotationRun{First: listFiles(place)}
	one.end()
	for _, f := range run.First {
		b, err := os.ReadFile(filepath.Join(place, f.Name))
		check(err)
		check(os.WriteFile(filepath.Join(dir, f.Name), b, 0o600))
	}
	rotated(place, "2", a)
	exit(a)
	run.Next = listFiles(place)
	return run
}

func rotated(place, keep string, a *actor) {
	r := newRecorder(fewRolesArgs("--comm", "rotor", "--max-events", "300", "--rotate", keep, "-o", filepath.Join(place, "run.pb"))...)
	r.cmd.Env = append(os.Environ(), "SUDO_UID=65534", "SUDO_GID=65534")
	check(r.cmd.Start())
	r.waitBegun()
	a.do("many", "churn", "/tmp", "rotated", "100")
	r.end()
}

// listFiles lists the files in a directory with their owners.
func listFiles(dir string) (files []madeFile) {
	entries, err := os.ReadDir(dir)
	check(err)
	for _, e := range entries {
		var stat unix.Stat_t
		check(unix.Stat(filepath.Join(dir, e.Name()), &stat))
		files = append(files, madeFile{e.Name(), stat.Uid})
	}
	return files
}
