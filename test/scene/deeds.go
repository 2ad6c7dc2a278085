// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const membarrierGlobal = 1 // MEMBARRIER_CMD_GLOBAL: wait as synchronize_rcu does

// setName gives the thread a name.
func setName(name string) error {
	b, err := unix.ByteSliceFromString(name)
	if err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&b[0])), 0, 0, 0)
}

// many does one thing with so many files DIR/PREFIXnnnnn.
func many(args []string, fds *[]int) error {
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	for i := range n {
		if err := one(args[0], fmt.Sprintf("%s/%s%05d", args[1], args[2], i), fds); err != nil {
			return err
		}
	}
	return nil
}

func one(verb, path string, fds *[]int) error {
	switch verb {
	case "miss":
		if fd, err := unix.Open(path, unix.O_RDONLY, 0); err == nil {
			return unix.Close(fd)
		}
		return nil
	case "open":
		fd, err := unix.Open(path, unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	case "hold":
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CREAT, 0o644)
		*fds = append(*fds, fd)
		return err
	case "create":
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CREAT, 0o644)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	case "churn": // a file that does not live long, its dentry neither
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if err := unix.Unlink(path); err != nil {
			return err
		}
		return unix.Close(fd)
	}
	return fmt.Errorf("no verb %q", verb)
}

// threads opens PREFIXn on so many threads of this process.
func threads(prefix, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			runtime.LockOSThread() // never unlocked: each has a thread to itself
			_ = one("miss", fmt.Sprint(prefix, i), nil)
		})
	}
	all.Wait()
	return nil
}

// daemon leaves a process behind as daemons do: the child of a child that is gone, in
// a session of its own, with nothing of ours open. It lingers with the arguments.
func daemon(args []string) error {
	if args[0] == "child" {
		cmd := exec.Command("/proc/self/exe", append([]string{"actor", "linger"}, args[1:]...)...)
		return cmd.Start()
	}
	cmd := exec.Command("/proc/self/exe", append([]string{"actor", "daemon", "child"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Run(); err != nil {
		return err
	}
	for { // until it has opened the first
		if _, err := os.Stat(args[0] + ".lingers"); err == nil {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

// linger opens a file, says so, and opens the other when somebody writes the FIFO.
func linger(fifo, first, second string) error {
	if err := one("miss", first, nil); err != nil {
		return err
	}
	if err := os.WriteFile(fifo+".lingers", nil, 0o600); err != nil {
		return err
	}
	fd, err := unix.Open(fifo, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := one("miss", second, nil); err != nil {
		return err
	}
	if err := unix.Unlink(fifo + ".lingers"); err != nil {
		return err
	}
	return unix.Close(fd)
}

// hog takes memory without end. At the limit of its cgroup the kernel takes back all
// that it can there before it kills the process.
func hog() error {
	const step = 256 << 10
	for {
		b, err := unix.Mmap(-1, 0, step, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return err
		}
		for i := 0; i < step; i += 4096 {
			b[i] = 1
		}
	}
}
