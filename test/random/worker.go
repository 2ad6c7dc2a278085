// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// request is one operation to do.
type request struct {
	Call   string
	Worker int
	Thread int    // index of the worker's thread
	At     int    // 0: relative to the working directory; otherwise to the directory held under that number
	Path   string // open, unlink …: the path; symlink: the target; link: the old name; bind: the directory to mount
	Path2  string // rename, link, symlink, give: the new name; bind: the mount point
	Flags  int    // open: O_*
	Mark   bool   // done while other threads work in the same directory
	Seed   uint64 // free: seed of the random operations
	Ops    int    // free: number of operations
}

// op is an operation that was done, with its result.
type op struct {
	request
	Seq      int
	PID, TID int
	T0, T1   uint64 // CLOCK_BOOTTIME before and after the call, nanoseconds
	Errno    int
	Dev, Ino uint64 // open: the inode that was opened
	Type     uint32 // open: its file type, S_IFMT
}

// worker executes requests.
type worker struct {
	index   int
	held    [4]int // descriptors of held directories; 0: none
	tmp     int    // descriptor of the last file created with O_TMPFILE; 0: none
	root    int    // descriptor of the root directory
	threads [jailed + 1]chan func()
}

// jailed is the index of the thread that has its own root and working directory.
const jailed = 3

// work connects to the coordinator and executes its requests until it closes the connection.
func work(index string) error {
	n, err := strconv.Atoi(index)
	if err != nil {
		return err
	}
	conn, err := net.Dial("unix", rendezvous)
	if err != nil {
		return err
	}
	w := &worker{index: n}
	for i := range w.threads {
		w.threads[i] = make(chan func())
		go serve(w.threads[i])
	}
	if w.root, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
		return err
	}
	alone := make(chan error)
	w.threads[jailed] <- func() { alone <- unix.Unshare(unix.CLONE_FS) }
	if err := <-alone; err != nil {
		return err
	}
	in, out := json.NewDecoder(bufio.NewReader(conn)), json.NewEncoder(conn)
	if err := out.Encode(n); err != nil {
		return err
	}
	for {
		var r request
		if err := in.Decode(&r); errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			return nil
		} else if err != nil {
			return err
		}
		var err error
		if r.Call == "free" {
			err = w.free(r, out)
		} else {
			err = out.Encode(w.do(r))
		}
		if err != nil {
			return err
		}
	}
}

// serve runs functions, all on one kernel thread.
func serve(todo chan func()) {
	runtime.LockOSThread()
	for f := range todo {
		f()
	}
}

// do executes one operation on its thread.
func (w *worker) do(r request) op {
	done := make(chan op)
	w.threads[r.Thread] <- func() { done <- w.call(r) }
	return <-done
}

// crowd executes one operation on each of several threads, all at once.
func (w *worker) crowd(list ...request) []op {
	ops := make([]op, len(list))
	var ready atomic.Int32
	var done sync.WaitGroup
	for i, r := range list {
		r.Thread, r.Worker = i, w.index
		done.Add(1)
		w.threads[i] <- func() {
			for ready.Add(1); int(ready.Load()) < len(ops); { // spin, as waking a thread would take too long
			}
			ops[i] = w.call(r)
			done.Done()
		}
	}
	done.Wait()
	return ops
}

func (w *worker) call(r request) op {
	o := op{request: r, PID: os.Getpid(), TID: unix.Gettid()}
	o.T0 = now()
	err := w.system(&o)
	o.T1 = now()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		o.Errno = int(errno)
	} else if err != nil {
		o.Errno = -1
	}
	return o
}

func now() uint64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return uint64(t.Nano())
}

// system makes the system call.
func (w *worker) system(o *op) error {
	at := unix.AT_FDCWD
	if o.At > 0 {
		at = w.held[o.At]
	}
	switch o.Call {
	case "open":
		fd, err := unix.Openat(at, o.Path, o.Flags, 0o644)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return o.stat(fd)
	case "hold":
		fd, err := unix.Openat(at, o.Path, unix.O_PATH|unix.O_DIRECTORY, 0)
		return o.keep(&w.held[o.Flags], fd, err)
	case "tmpfile": // a file without a name, kept open
		fd, err := unix.Openat(at, o.Path, o.Flags, 0o644)
		return o.keep(&w.tmp, fd, err)
	case "unlink":
		return unix.Unlinkat(at, o.Path, 0)
	case "rmdir":
		return unix.Unlinkat(at, o.Path, unix.AT_REMOVEDIR)
	case "mkdir":
		return unix.Mkdirat(at, o.Path, 0o755)
	case "rename":
		return unix.Renameat(at, o.Path, at, o.Path2)
	case "exchange":
		return unix.Renameat2(at, o.Path, at, o.Path2, unix.RENAME_EXCHANGE)
	case "symlink":
		return unix.Symlinkat(o.Path, at, o.Path2)
	case "link":
		return unix.Linkat(at, o.Path, at, o.Path2, 0)
	case "chdir":
		return unix.Chdir(o.Path)
	case "give":
		return unix.Linkat(w.tmp, "", unix.AT_FDCWD, o.Path2, unix.AT_EMPTY_PATH)
	case "bind":
		return unix.Mount(o.Path+"/.", o.Path2+"/.", "", unix.MS_BIND, "") // "/.": directories only
	case "unbind":
		return unix.Unmount(o.Path, 0)
	case "chroot":
		return w.chroot(o.Path)
	case "drop":
		unix.Sync()
		return os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0)
	}
	return syscall.ENOSYS
}

// keep stores a descriptor in place, and closes the one that was there.
func (o *op) keep(place *int, fd int, err error) error {
	if err != nil {
		return err
	}
	if *place > 0 {
		unix.Close(*place)
	}
	*place = fd
	return o.stat(fd)
}

// chroot makes a directory the root of this thread, or the initial root if that fails. The working
// directory becomes the root.
func (w *worker) chroot(dir string) error {
	if err := unix.Fchdir(w.root); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	if err := unix.Chroot(dir); err != nil {
		return err
	}
	return unix.Chdir("/")
}

func (o *op) stat(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	o.Dev, o.Ino, o.Type = uint64(st.Dev), st.Ino, st.Mode&unix.S_IFMT
	return nil
}

// free does operations of the worker's own choice, and sends them to the coordinator after all are
// done: communicating in between would impose an order on operations that are meant to be unordered.
func (w *worker) free(r request, out *json.Encoder) error {
	rng := rand.New(rand.NewPCG(r.Seed, uint64(1+w.index)))
	g := newGenerator(rng, "/tmp/p"+strconv.Itoa(w.index))
	var done []op
	one := func(r request) {
		r.Worker = w.index
		o := w.do(r)
		g.learn(o)
		done = append(done, o)
	}
	one(request{Call: "mkdir", Path: g.base})
	for _, r := range g.settle(w.index) {
		one(r)
	}
	for range r.Ops {
		switch rng.IntN(9) {
		case 8:
			done = append(done, w.crowd(g.contended(), g.contended(), g.contended())...)
		case 0:
			r := g.contended()
			done = append(done, w.crowd(r, r)...)
		case 1, 2:
			one(g.contended())
		case 3:
			r := request{Call: "open", Path: g.base + "/" + strconv.Itoa(len(done))} // a new name
			done = append(done, w.crowd(r, r)...)
		default:
			one(g.next(w.index))
		}
	}
	for _, o := range done {
		if err := out.Encode(o); err != nil {
			return err
		}
	}
	return out.Encode(op{request: request{Call: "free"}})
}
