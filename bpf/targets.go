// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// target makes processes targets, before a program is attached that does so too.
func (s *Session) target(pids []uint32) error {
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
	s.awaited, err = openProcesses(pids)
	return err
}

// processes are descriptors of processes, which no other takes the place of.
type processes map[uint32]int

func openProcesses(pids []uint32) (processes, error) {
	p := make(processes, len(pids))
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(int(pid), 0)
		switch {
		case err == nil:
			p[pid] = fd
		case errors.Is(err, unix.ESRCH): // anything else is no word about the process: a seccomp filter that does not know the call
			return p, fmt.Errorf("target process %d: %w", pid, err)
		}
	}
	return p, nil
}

// running returns an error if one has ended: its id may be another's by now.
func (p processes) running() error {
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

// Adopt makes the process that the calling one started last a target, and what it
// starts from now on. It is for a session with Adopts, and without FollowChildren.
// It is a variable and not the map: while bpf(2) changes a map, no program of a kprobe
// runs on that cpu, and where the kernel preempts the caller meanwhile, hits of others are missed.
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

// Started returns the process id in the initial namespace of the process that the calling one started last, whose id in its own
// namespace is pid; that one where the kernel side missed the fork.
func (s *Session) Started(pid int) uint32 {
	var child uint32
	if !s.nested || s.vars["last_child"].Get(&child) != nil || child == 0 {
		return uint32(pid)
	}
	return child
}

// Nested reports whether the calling process is in a pid namespace of its own: the ids that the kernel side knows are not those it
// can use.
func (s *Session) Nested() bool { return s.nested }

// Followed returns the process ids (of the initial namespace) that are targets now:
// those of Config, and those started by a target, that have not ended; not the one adopted.
// An end the kernel side missed leaves its process among them.
func (s *Session) Followed() ([]uint32, error) {
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
