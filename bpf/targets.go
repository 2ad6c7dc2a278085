// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// addTargets makes processes targets. It must run before any program is attached that adds targets itself.
func (s *Session) addTargets(pids []uint32) error {
	near := s.maps["targets_near"]
	for _, pid := range pids {
		var slot struct{ Last, Count uint64 } // struct near of target.h
		at := pid % near.MaxEntries()
		err := near.Lookup(at, &slot)
		slot.Count++
		if err = errors.Join(err, near.Put(at, &slot), s.maps["targets"].Put(pid, uint8(1))); err != nil {
			return fmt.Errorf("target process %d: %w", pid, err)
		}
	}
	var err error
	s.pidfds, err = openProcesses(pids)
	return err
}

// processes holds a pidfd for each process id. Unlike an id, it never comes to mean another process.
type processes map[uint32]int

func openProcesses(pids []uint32) (processes, error) {
	p := make(processes, len(pids))
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(int(pid), 0)
		switch {
		case err == nil:
			p[pid] = fd
		case errors.Is(err, unix.ESRCH): // any other error says nothing about the process: a seccomp filter may not know the call
			return p, fmt.Errorf("target process %d: %w", pid, err)
		}
	}
	return p, nil
}

// checkRunning returns an error if one of the processes has ended, as its id may belong to another by now.
func (p processes) checkRunning() error {
	for pid, fd := range p {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, 0); err == nil && n > 0 {
			return fmt.Errorf("target process %d ended before the recording began", pid)
		}
	}
	return nil
}

func (p processes) close() (err error) {
	for pid, fd := range p {
		err = errors.Join(err, unix.Close(fd))
		delete(p, pid)
	}
	return err
}

// Adopt makes the process that the calling one started last a target, and all that it starts from now on. It
// is for a session with Config.Adopts and without FollowChildren. It sets a variable and not the map, because
// no kprobe program runs on a CPU while bpf(2) changes a map there; where the kernel preempts the caller
// meanwhile, hits of other tasks are missed.
func (s *Session) Adopt() error {
	var child uint32
	if err := s.vars["last_child"].Get(&child); err != nil {
		return fmt.Errorf("look up the started process: %w", err)
	}
	if err := s.vars["adopted"].Set(child); err != nil {
		return fmt.Errorf("target process %d: %w", child, err)
	}
	return nil
}

// InitialPID returns the process id, in the initial namespace, of the process that the calling one started last
// and whose id in its own namespace is pid. It returns pid itself if the kernel side missed the fork.
func (s *Session) InitialPID(pid int) uint32 {
	var child uint32
	if !s.nested || s.vars["last_child"].Get(&child) != nil || child == 0 {
		return uint32(pid)
	}
	return child
}

// Nested reports whether the calling process is in a pid namespace of its own. The ids that the kernel side
// knows are then not those that the process can use.
func (s *Session) Nested() bool { return s.nested }

// TargetPIDs returns the ids, in the initial pid namespace, of the processes that are targets now and have not
// ended: those of Config.PIDs and those started by a target, without the adopted one. A process whose end the
// kernel side missed stays among them.
func (s *Session) TargetPIDs() ([]uint32, error) {
	var pids []uint32
	var pid uint32
	var one uint8
	entries := s.maps["targets"].Iterate()
	for entries.Next(&pid, &one) {
		pids = append(pids, pid)
	}
	if err := entries.Err(); err != nil {
		return pids, fmt.Errorf("list the processes followed: %w", err)
	}
	return pids, nil
}
