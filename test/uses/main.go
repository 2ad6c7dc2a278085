// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Uses is a program that the kernel tests record. It uses paths by every system call that takes one
// (openat2, execveat, xattrs, io_uring and 32-bit calls as well), and prints a line of JSON for each
// use.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// use is one use of a path by the system call that Way names.
type use struct {
	Way, Path string
	Target    string `json:",omitempty"` // the second path, if there are two
	How       string `json:",omitempty"` // name of the RESOLVE_* flag
	Errno     string `json:",omitempty"` // empty: it succeeded
	Dir       bool   `json:",omitempty"` // the walk starts at a directory descriptor
}

var encoder = json.NewEncoder(os.Stdout)

// report prints a use with its result.
func report(u use, err error) {
	var errno unix.Errno
	if errors.As(err, &errno) {
		u.Errno = unix.ErrnoName(errno)
	} else {
		check(err)
	}
	check(encoder.Encode(u))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "uses:", err)
		os.Exit(99)
	}
}

// All calls are made on the process's first thread, where only a goroutine stays that init has locked
// to it.
func init() { runtime.LockOSThread() }

func main() {
	dir := os.Args[1]
	if dir == "script" { // run as the interpreter of its own script
		return
	}
	report(use{Way: "mkdir", Path: dir}, unix.Mkdir(dir, 0o755))
	openat2(dir)
	xattrs(dir)
	systemCalls(dir)
	throughRings(dir)
	compat(dir)
	execveat(dir)
}

// open opens a file, and returns its descriptor.
func open(path string, flags int) int {
	fd, err := unix.Open(path, flags, 0o755)
	report(use{Way: "open", Path: path}, err)
	return fd
}

func touch(path string) { check(unix.Close(open(path, unix.O_CREAT|unix.O_WRONLY))) }

const resolveCached = 0x20 // Linux 5.12

// resolves are the flags that limit a walk, each with a path that it forbids (bad) and one that it
// allows (fit).
var resolves = []struct {
	name     string
	flag     uint64
	bad, fit string
}{
	{"RESOLVE_NO_SYMLINKS", unix.RESOLVE_NO_SYMLINKS, "link", "plain"},
	{"RESOLVE_NO_MAGICLINKS", unix.RESOLVE_NO_MAGICLINKS, "/proc/self/fd/0", "plain"},
	{"RESOLVE_NO_XDEV", unix.RESOLVE_NO_XDEV, "/proc/version", "plain"},
	{"RESOLVE_BENEATH", unix.RESOLVE_BENEATH, "../above", "plain"},
	{"RESOLVE_IN_ROOT", unix.RESOLVE_IN_ROOT, "/etc/none", "/plain"},
	{"LOOKUP_CACHED", resolveCached, "uncached", "plain"},
}

// openat2 opens paths relative to a directory under each limit, both those that it forbids and those
// that it allows.
func openat2(dir string) {
	touch(dir + "/plain")
	report(use{Way: "symlink", Path: dir + "/link"}, unix.Symlink("plain", dir+"/link"))
	fd := open(dir, unix.O_PATH|unix.O_DIRECTORY)
	defer unix.Close(fd)
	for _, r := range resolves {
		for _, path := range []string{r.bad, r.fit} {
			got, err := unix.Openat2(fd, path, &unix.OpenHow{Flags: unix.O_RDONLY, Resolve: r.flag})
			if err == nil {
				check(unix.Close(got))
			}
			report(use{Way: "openat2", Path: path, How: r.name, Dir: !strings.HasPrefix(path, "/") || r.flag == unix.RESOLVE_IN_ROOT}, err)
		}
	}
}

// xattrs uses extended attributes by path.
func xattrs(dir string) {
	path := dir + "/attributes"
	touch(path)
	report(use{Way: "setxattr", Path: path}, unix.Setxattr(path, "user.a", []byte("b"), 0))
	buffer := make([]byte, 64)
	for _, name := range []string{path, dir + "/attributeless"} {
		_, err := unix.Getxattr(name, "user.a", buffer)
		report(use{Way: "getxattr", Path: name}, err)
		_, err = unix.Lgetxattr(name, "user.none", buffer) // ENODATA if the file exists
		report(use{Way: "getxattr", Path: name}, err)
		_, err = unix.Listxattr(name, buffer)
		report(use{Way: "listxattr", Path: name}, err)
	}
	report(use{Way: "removexattr", Path: path}, unix.Removexattr(path, "user.a"))
}

// execveat runs a program that does not exist, and then a script, which replaces this program.
func execveat(dir string) {
	script := dir + "/script"
	self, err := os.Executable()
	check(err)
	fd := open(script, unix.O_CREAT|unix.O_WRONLY)
	_, err = unix.Write(fd, []byte("#!"+self+" script\n"))
	check(err)
	check(unix.Close(fd))
	for _, path := range []string{dir + "/nothing", script} {
		name, err := unix.BytePtrFromString(path)
		check(err)
		if path == script {
			report(use{Way: "execveat", Path: path}, nil) // reported before the call, which does not return if it succeeds
		}
		_, _, errno := unix.Syscall6(unix.SYS_EXECVEAT, fdArg(unix.AT_FDCWD), address(name), arguments(path), arguments(""), 0, 0)
		report(use{Way: "execveat", Path: path}, errno)
	}
}
