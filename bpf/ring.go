// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// The header of a record in the ring buffer (include/uapi/linux/bpf.h): a 32-bit word with the length and two
// flag bits, and another 32-bit word for the kernel's own use. Records begin at multiples of 8; the first
// word of their content is the time.
const (
	ringHeader  = 8
	ringBusy    = 1 << 31
	ringDiscard = 1 << 30
)

// ring is the mapped memory of a BPF ring buffer. Records are read in place and in any order, which
// ringbuf.Reader does not offer, and the memory is mapped once instead of twice. This is the only place with
// memory that is not Go's.
type ring struct {
	consumer, producer []byte   // pages that begin with a position
	words              []uint64 // the records
	scanned            uint64   // position up to which all records have been scanned
	wrapped            []uint64 // copy of a record that wraps around the end
	file               *os.File
	conn               syscall.RawConn // for file

	// mark is a producer position and marked a time before it was read: what gets its place in the buffer
	// beyond mark has a later time than marked.
	mark, markTime uint64
	horizon        uint64 // all that happened before this time has been scanned, nanoseconds since boot
	skipping       bool   // records that are still being written are skipped
}

// Map makes the records readable. Call it last, when the reader of the records has allocated its memory too:
// Map first returns to the kernel the memory used for attaching, since the whole ring counts as this
// process's memory. It waits until the programs of earlier recordings have left the functions, usually a few
// seconds, and asks wait meanwhile whether to go on.
func (s *Session) Map(wait func() bool) (err error) {
	debug.FreeOSMemory()
	if s.ring, err = newRing(s.maps["events"]); err != nil {
		return err
	}
	return s.trampolines.begin(s.queries, wait)
}

func newRing(m *ebpf.Map) (*ring, error) {
	page := os.Getpagesize()
	r := &ring{}
	var err error
	if r.consumer, err = unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("map the ring buffer: %w", err)
	}
	if r.producer, err = unix.Mmap(m.FD(), int64(page), page+int(m.MaxEntries()), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, errors.Join(fmt.Errorf("map the ring buffer: %w", err), r.close())
	}
	r.words = unsafe.Slice((*uint64)(unsafe.Pointer(&r.producer[page])), m.MaxEntries()/8)
	if err = r.registerPoll(m.FD()); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for the ring buffer: %w", err), r.close())
	}
	return r, nil
}

func (r *ring) close() error {
	var errs []error
	for _, memory := range [][]byte{r.consumer, r.producer} {
		if memory != nil {
			errs = append(errs, unix.Munmap(memory))
		}
	}
	if r.file != nil {
		errs = append(errs, r.file.Close())
	}
	return errors.Join(errs...)
}

// registerPoll registers a duplicate of the map's descriptor with the runtime's poller. The map's own epoll is
// edge-triggered: it stays asleep as long as the programs do not ask for a wakeup. A thread in an epoll of
// its own would block the other goroutines on a machine with one CPU.
func (r *ring) registerPoll(fd int) error {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(own, true); err != nil {
		return errors.Join(err, unix.Close(own))
	}
	r.file = os.NewFile(uintptr(own), "ring buffer")
	r.conn, err = r.file.SyscallConn()
	return err
}

// Wait sleeps until the deadline, or until the programs find that much is waiting.
func (r *ring) Wait(deadline time.Time) error {
	if time.Until(deadline) <= 0 {
		return nil
	}
	err := r.file.SetReadDeadline(deadline)
	if err == nil {
		woken := false
		err = r.conn.Read(func(uintptr) bool { defer func() { woken = true }(); return woken })
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("wait for the ring buffer: %w", err)
	}
	return nil
}

// Entry is a record in the ring buffer. It has no pointers, because there are many of them.
type Entry struct {
	Time uint64 // nanoseconds since boot
	At   uint64 // position in the ring: number of bytes written before it
}

// Scan appends the records that have come since the last call, at most this many, in the order of their
// places. more reports whether there are more. All that happened before horizon, in nanoseconds since boot,
// has been handed out.
func (r *ring) Scan(dst []Entry, most int) (entries []Entry, horizon uint64, more bool) {
	if r.scanned >= r.mark {
		r.markTime = Now()
		r.mark = atomic.LoadUint64((*uint64)(unsafe.Pointer(&r.producer[0])))
	}
	written := atomic.LoadUint64((*uint64)(unsafe.Pointer(&r.producer[0])))
	words, mask, end := r.words, uint64(len(r.words)-1), r.scanned
	for end < written {
		header := r.header(end)
		if header&ringBusy != 0 && !r.skipping {
			break
		}
		if header&(ringDiscard|ringBusy) == 0 {
			if more = most == 0; more {
				break
			}
			most--
			dst = append(dst, Entry{words[(end+ringHeader)/8&mask], end})
		}
		end += recordSize(header)
	}
	if r.scanned = end; r.scanned >= r.mark {
		r.horizon = r.markTime
	}
	return dst, r.horizon, more
}

// SkipBusy makes Scan skip records that their programs are still writing, and returns how many there are. It is
// for the end of a recording, when no program begins another record: without it, the records behind an
// unfinished one would be lost.
func (r *ring) SkipBusy() (busy uint64) {
	r.skipping = true
	written := atomic.LoadUint64((*uint64)(unsafe.Pointer(&r.producer[0])))
	for at := r.scanned; at < written; {
		header := r.header(at)
		if header&ringBusy != 0 {
			busy++
		}
		at += recordSize(header)
	}
	return busy
}

// header returns the first word of the record at a place. It is read atomically, so that what the kernel
// wrote before it cleared the busy bit is visible.
func (r *ring) header(at uint64) uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.words[at/8&uint64(len(r.words)-1)])))
}

// Record returns the words of a record in place, without the header. They are valid until the next call and
// until the record is released.
func (r *ring) Record(at uint64) []uint64 {
	words := r.words
	from := at / 8 & uint64(len(words)-1)
	size := recordSize(uint32(words[from])) / 8
	if end := from + size; end <= uint64(len(words)) {
		return words[from+1 : end : end]
	}
	return r.join(from, size)
}

// join returns a copy of a record that wraps around the end of the ring.
func (r *ring) join(from, size uint64) []uint64 {
	r.wrapped = append(append(r.wrapped[:0], r.words[from:]...), r.words[:from+size-uint64(len(r.words))]...)
	return r.wrapped[1:]
}

// Release returns the memory of the records before a place, or at most of all that were scanned, to the
// programs.
func (r *ring) Release(before uint64) {
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&r.consumer[0])), min(before, r.scanned))
}

// recordSize returns the number of bytes that a record takes, header included.
func recordSize(header uint32) uint64 {
	return ringHeader + (uint64(header&^(ringBusy|ringDiscard))+7)&^7
}

// SentOf returns a record made of these words, which must not be written to as long as it is used.
func SentOf(words []uint64) schema.Sent {
	return schema.Sent{Words: words, Text: unsafe.String((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words))}
}
