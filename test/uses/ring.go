// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// submission is struct io_uring_sqe, and completion is struct io_uring_cqe.
type submission struct {
	opcode, flags uint8
	_             uint16
	fd            int32
	addr2, addr   uint64
	len, how      uint32
	data          uint64
	_             uint16
	_             uint16
	_             int32
	addr3, _      uint64
}

type completion struct {
	_      uint64
	result int32
	_      uint32
}

// ring is an io_uring of eight entries.
type ring struct {
	fd                       int
	tail, head, doneTail     *uint32
	mask, doneMask           uint32
	array                    unsafe.Pointer
	submissions, completions unsafe.Pointer
}

// parameters is struct io_uring_params.
type parameters struct {
	_, _, _, _, _, _, _ uint32
	_                   [3]uint32
	sq                  struct{ head, tail, mask, entries, flags, dropped, array, _, _, _ uint32 }
	cq                  struct{ head, tail, mask, entries, overflow, cqes, flags, _, _, _ uint32 }
}

// newRing returns nil if the kernel does not allow io_uring.
func newRing() *ring {
	var p parameters
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 8, address(&p), 0)
	if errno != 0 {
		return nil
	}
	rings, err := unix.Mmap(int(fd), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	check(err)
	entries, err := unix.Mmap(int(fd), 0x10000000, 8*64, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	check(err)
	word := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&rings[offset])) }
	return &ring{fd: int(fd), tail: word(p.sq.tail), head: word(p.cq.head), doneTail: word(p.cq.tail), mask: *word(p.sq.mask), doneMask: *word(p.cq.mask),
		array: unsafe.Pointer(word(p.sq.array)), submissions: unsafe.Pointer(&entries[0]), completions: unsafe.Pointer(word(p.cq.cqes))}
}

// do submits one request and waits for its completion. It returns the errno of either.
func (r *ring) do(s submission) error {
	tail := atomic.LoadUint32(r.tail)
	i := tail & r.mask
	*(*submission)(unsafe.Add(r.submissions, 64*i)) = s
	*(*uint32)(unsafe.Add(r.array, 4*i)) = i
	atomic.StoreUint32(r.tail, tail+1)
	const getEvents = 1
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 1, 1, getEvents, 0, 0); errno != 0 {
		return errno
	}
	head := atomic.LoadUint32(r.head)
	for atomic.LoadUint32(r.doneTail) == head {
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	result := (*completion)(unsafe.Add(r.completions, 16*(head&r.doneMask))).result
	atomic.StoreUint32(r.head, head+1)
	if result < 0 {
		return unix.Errno(-result)
	}
	return nil
}

// throughRings uses paths through io_uring: in the task itself if the kernel does that, and in a worker
// (IOSQE_ASYNC).
func throughRings(dir string) {
	r := newRing()
	if r == nil {
		return
	}
	const async = 1 << 4
	for flags, way := range []string{"/ring-", async: "/worker-"} {
		if way == "" {
			continue
		}
		name := func(s string) uint64 { return uint64(copyString(dir + way + s)) }
		how := allocLow(24)
		how[0] = unix.O_RDONLY
		how[16] = unix.RESOLVE_NO_SYMLINKS
		touch(dir + way + "file")
		for _, o := range []struct {
			op, path, target string
			sqe              submission
		}{
			{"open", "file", "", submission{opcode: 18}},
			{"open", "none", "", submission{opcode: 18}},
			{"openat2", "file", "", submission{opcode: 28, len: 24, addr2: uint64(address(&how[0]))}},
			{"stat", "file", "", submission{opcode: 21, len: unix.STATX_BASIC_STATS, addr2: uint64(address(&allocLow(256)[0]))}},
			{"stat", "none", "", submission{opcode: 21, len: unix.STATX_BASIC_STATS, addr2: uint64(address(&allocLow(256)[0]))}},
			{"mkdir", "dir", "", submission{opcode: 37, len: 0o755}},
			{"symlink", "soft", "", submission{opcode: 38, addr2: name("soft")}},
			{"link", "file", "hard", submission{opcode: 39, len: 0xffffff9c, addr2: name("hard")}},
			{"rename", "hard", "other", submission{opcode: 35, len: 0xffffff9c, addr2: name("other")}},
			{"unlink", "other", "", submission{opcode: 36}},
			{"rmdir", "dir", "", submission{opcode: 36, how: unix.AT_REMOVEDIR}},
			{"setxattr", "file", "", submission{opcode: 42, addr: uint64(copyString("user.a")), addr2: uint64(copyString("b")), len: 1, addr3: name("file")}},
			{"getxattr", "file", "", submission{opcode: 44, addr: uint64(copyString("user.a")), addr2: uint64(address(&allocLow(8)[0])), len: 8, addr3: name("file")}},
		} {
			s := o.sqe
			if s.fd, s.flags = unix.AT_FDCWD, uint8(flags); s.addr == 0 {
				s.addr = name(o.path)
			}
			u := use{Way: "io_uring " + o.op, Path: dir + way + o.path}
			if o.target != "" {
				u.Target = dir + way + o.target
			}
			if o.op == "openat2" {
				u.How = "RESOLVE_NO_SYMLINKS"
			}
			report(u, r.do(s))
		}
	}
}
