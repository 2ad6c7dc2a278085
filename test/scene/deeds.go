// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const membarrierGlobal = 1 // MEMBARRIER_CMD_GLOBAL: wait as synchronize_rcu does

// setName sets the name (comm) of the calling thread.
func setName(name string) {
	b, err := unix.ByteSliceFromString(name)
	check(err)
	check(unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&b[0])), 0, 0, 0))
}

// miss opens a file that may be missing.
func miss(path string) {
	if fd, err := unix.Open(path, unix.O_RDONLY, 0); err == nil {
		check(unix.Close(fd))
	}
}

// passing opens a file and closes it at once. The file exists ("look"), is created ("create"), or is
// created and removed again ("churn").
func passing(verb, path string) {
	flags := map[string]int{"look": unix.O_RDONLY, "create": unix.O_RDONLY | unix.O_CREAT, "churn": unix.O_RDWR | unix.O_CREAT | unix.O_EXCL}
	fd, err := unix.Open(path, flags[verb], 0o644)
	check(err)
	if verb == "churn" { // so that its dentry does not stay either
		check(unix.Unlink(path))
	}
	check(unix.Close(fd))
}

// threads opens PREFIXn on each of n threads of this process.
func threads(prefix string, n int) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			runtime.LockOSThread() // never unlocked, so each has a thread of its own
			miss(fmt.Sprint(prefix, i))
		})
	}
	all.Wait()
}

// daemon leaves a process behind as daemons do: its parent has exited, it is in a session of its own,
// and it has none of our files open. It lingers with the arguments.
func daemon(args []string) {
	if args[0] == "child" {
		check(exec.Command("/proc/self/exe", append([]string{"actor", "linger"}, args[1:]...)...).Start())
		return
	}
	cmd := exec.Command("/proc/self/exe", append([]string{"actor", "daemon", "child"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	check(cmd.Run())
	for { // until the daemon has opened the first file
		if _, err := os.Stat(args[0] + ".lingers"); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// linger opens the first file, creates FIFO.lingers to say so, and opens the second when somebody opens
// the FIFO for writing.
func linger(fifo, first, second string) {
	miss(first)
	check(os.WriteFile(fifo+".lingers", nil, 0o600))
	fd, err := unix.Open(fifo, unix.O_RDONLY, 0)
	check(err)
	miss(second)
	check(unix.Unlink(fifo + ".lingers"))
	check(unix.Close(fd))
}

// hog allocates memory without end. At the limit of its cgroup the kernel reclaims all that it can in
// that cgroup before it kills the process.
func hog() {
	const step = 256 << 10
	for {
		b, err := unix.Mmap(-1, 0, step, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		check(err)
		for i := 0; i < step; i += 4096 {
			b[i] = 1
		}
	}
}
