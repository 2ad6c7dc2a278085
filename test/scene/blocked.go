// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// blocked holds threads of one name that sleep inside open, on a FIFO without a writer.
type blocked struct {
	name, fifo string
	then       string // what each opens after its open has returned; empty: nothing
	about      chan int
	through    chan error
	n          int
	tids       []int
}

func newBlocked(name, fifo string) *blocked {
	return &blocked{name: name, fifo: fifo, about: make(chan int), through: make(chan error)}
}

// block starts n more threads, and returns when all of them sleep inside open.
func (b *blocked) block(n int) {
	b.n += n
	for range n {
		go b.open()
	}
	for range n {
		tid := <-b.about
		b.tids = append(b.tids, tid)
		waitAsleep(tid)
	}
}

// rename changes the name of the threads that are inside open.
func (b *blocked) rename(name string) {
	for _, tid := range b.tids {
		check(os.WriteFile(fmt.Sprintf("/proc/self/task/%d/comm", tid), []byte(name), 0))
	}
}

func (b *blocked) open() {
	runtime.LockOSThread() // never unlocked, so the thread ends with this goroutine
	setName(b.name)
	b.about <- unix.Gettid()
	fd, err := unix.Open(b.fifo, unix.O_RDONLY, 0)
	if err == nil && b.then != "" {
		miss(b.then)
	}
	setName("through")
	if err == nil {
		err = unix.Close(fd)
	}
	b.through <- err
}

// release opens the FIFO for writing, so that all threads return from open.
func (b *blocked) release() {
	fd, err := unix.Open(b.fifo, unix.O_RDWR, 0)
	check(err)
	for range b.n {
		check(<-b.through)
	}
	check(unix.Close(fd))
	b.n, b.tids = 0, nil
}

// waitAsleep waits until a thread sleeps inside openat(2).
func waitAsleep(tid int) {
	for {
		call, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid))
		check(err)
		if strings.HasPrefix(string(call), fmt.Sprint(unix.SYS_OPENAT, " ")) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
