// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	workFiles  = 2000 // files in its directory, opened in turn
	fileSize   = 4096 // size of each file, bytes
	roundCalls = 5    // system calls per round
)

// The work's program in the guest and its comm.
const (
	workName    = "benchwork"
	workProgram = "/bin/" + workName
)

// workPlan says what the work does and where it reports.
type workPlan struct {
	Dir    string // holds the files of prepareWork
	Rounds int
	Procs  int    // 1, or the number of processes, each on its own CPU
	First  int    // number of the first name that is looked up only once
	Report string // file for the workReport; empty for none
}

// workReport is what the work measured of itself. Main to Done are times of CLOCK_MONOTONIC; all times are in
// nanoseconds.
type workReport struct {
	Main, Begin, End, Done int64
	CPU                    int64 // CPU time of the thread, from Begin to End
	ProcessCPU             int64 // CPU time of the whole process
	Peak                   int64 // largest resident set of the process, KiB
}

// prepareWork creates the files that the work opens, and brings the dcache into the same state for each
// recording.
func prepareWork(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range workFiles {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("e%06d", i)), make([]byte, fileSize), 0o644); err != nil {
			return err
		}
	}
	unix.Sync()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("2\n"), 0); err != nil {
		return err
	}
	for i := range workFiles {
		if _, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("e%06d", i))); err != nil {
			return err
		}
	}
	return nil
}

// work is the program that is recorded. A round is five system calls: a file is opened, read and closed; then
// a missing name that recurs is opened, and one that was never looked up before.
func work(plan string) error {
	r := workReport{Main: now(unix.CLOCK_MONOTONIC)}
	var p workPlan
	err := readJSON(plan, &p)
	if err != nil {
		return err
	}
	if p.Procs > 1 {
		err = p.runProcesses(&r)
	} else {
		err = p.runRounds(&r)
	}
	if err != nil || p.Report == "" {
		return err
	}
	r.Peak = peak()
	r.ProcessCPU, r.Done = now(unix.CLOCK_PROCESS_CPUTIME_ID), now(unix.CLOCK_MONOTONIC)
	return writeJSON(p.Report, r)
}

func (p workPlan) runRounds(r *workReport) error {
	runtime.LockOSThread()
	existing, missing, fresh := newName(p.Dir, 'e'), newName(p.Dir, 'm'), newName(p.Dir, 'f')
	buffer := make([]byte, fileSize)
	cpu := now(unix.CLOCK_THREAD_CPUTIME_ID)
	r.Begin = now(unix.CLOCK_MONOTONIC)
	for i := range p.Rounds {
		existing.set(i % workFiles)
		missing.set(i % workFiles)
		fresh.set(p.First + i)
		fd, errno := existing.open()
		if errno != 0 {
			return fmt.Errorf("open %s: %w", existing, errno)
		}
		if n, err := unix.Read(fd, buffer); n != fileSize || err != nil {
			return fmt.Errorf("read %s: %d bytes, %w", existing, n, err)
		}
		if err := unix.Close(fd); err != nil {
			return err
		}
		for _, name := range []name{missing, fresh} {
			if _, errno := name.open(); errno != unix.ENOENT {
				return fmt.Errorf("open %s: %w, not %w", name, errno, unix.ENOENT)
			}
		}
	}
	r.End = now(unix.CLOCK_MONOTONIC)
	r.CPU = now(unix.CLOCK_THREAD_CPUTIME_ID) - cpu
	return nil
}

// runProcesses does the work in several processes at once, each on its own CPU.
func (p workPlan) runProcesses(r *workReport) error {
	r.Begin = now(unix.CLOCK_MONOTONIC)
	var started []*exec.Cmd
	for i := range p.Procs {
		one := p
		one.Procs, one.First, one.Report = 1, p.First+i*p.Rounds, ""
		plan := fmt.Sprintf("plan-%d.json", i)
		if err := writeJSON(plan, one); err != nil {
			return err
		}
		cmd := exec.Command(workProgram, "work", plan)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
		var set unix.CPUSet
		set.Set(i)
		if err := unix.SchedSetaffinity(cmd.Process.Pid, &set); err != nil {
			return err
		}
		started = append(started, cmd)
	}
	for _, cmd := range started {
		if err := cmd.Wait(); err != nil {
			return err
		}
	}
	r.End = now(unix.CLOCK_MONOTONIC)
	return nil
}

// name is a NUL-terminated path that ends in a letter and six digits. It is changed in place, which costs
// next to nothing compared with the open.
type name []byte

func newName(dir string, letter byte) name {
	return name(dir + "/" + string(letter) + "000000\x00")
}

func (n name) set(number int) {
	for i := len(n) - 2; i > len(n)-8; i-- {
		n[i] = '0' + byte(number%10)
		number /= 10
	}
}

func (n name) open() (fd int, errno unix.Errno) {
	at := unix.AT_FDCWD
	r, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&n[0])), unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
	return int(r), errno
}

func (n name) String() string { return string(n[:len(n)-1]) }

func readJSON(file string, v any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

func writeJSON(file string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// now returns the time of a clock in nanoseconds, 0 if it cannot be read.
func now(clock int32) int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0
	}
	return t.Nano()
}

// peak returns the largest resident set of this program in KiB. getrusage would include that of the process
// that forked it.
func peak() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kib int64
	_, _ = fmt.Sscan(rest, &kib) // 0 when it cannot be read
	return kib
}
