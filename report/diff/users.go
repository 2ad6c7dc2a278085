// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"hash/maphash"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// users knows which programs have used the live dentries, and under which name a
// process was last seen at work.
type users struct {
	seed maphash.Seed
	of   map[uint64]*use   // by address
	comm map[uint32]string // by process
	gone map[uint32]bool   // processes that have ended: what the kernel closes for them follows
	free []*use

	last    *use // of the address used last
	lastAt  uint64
	lastPID uint32
	lastIn  string // comm
	lastKey uint64
}

// use is who used one dentry, the last four.
type use struct {
	seq uint64
	by  [4]uint64
}

// maxProcesses bounds the processes whose names are remembered.
const maxProcesses = 1 << 16

func newUsers(seed maphash.Seed) users {
	return users{seed: seed, of: make(map[uint64]*use), comm: make(map[uint32]string), gone: make(map[uint32]bool)}
}

// key is a program in a process.
func (u *users) key(pid uint32, comm string) uint64 {
	if pid != u.lastPID || comm != u.lastIn {
		u.lastPID, u.lastIn = pid, comm
		u.lastKey = mix(maphash.String(u.seed, comm), uint64(pid))
	}
	return u.lastKey
}

// note takes down that a program used the event's dentry.
func (u *users) note(s *replay.Step, comm string) {
	if s.Object == nil || isEnd(s.Event.Role) || s.Event.Role == schema.RoleExit {
		return
	}
	if s.Event.PID != u.lastPID || comm != u.lastIn {
		u.atWork(s.Event.PID, comm)
	}
	k := u.key(s.Event.PID, comm)
	w := u.at(s.Object)
	if w.seq != s.Object.Seq {
		*w = use{seq: s.Object.Seq}
	}
	for i, by := range w.by {
		if by == k || i == len(w.by)-1 {
			copy(w.by[1:i+1], w.by[:i])
			w.by[0] = k
			return
		}
	}
}

// atWork remembers the name a process works under.
func (u *users) atWork(pid uint32, comm string) {
	if len(u.comm) >= maxProcesses {
		clear(u.comm)
	}
	u.comm[pid] = comm
	delete(u.gone, pid)
}

func (u *users) at(o *replay.Object) *use {
	if u.last != nil && u.lastAt == o.Addr {
		return u.last
	}
	w := u.of[o.Addr]
	if w == nil {
		if n := len(u.free); n > 0 {
			w, u.free = u.free[n-1], u.free[:n-1]
			*w = use{}
		} else {
			w = &use{}
		}
		u.of[o.Addr] = w
	}
	u.last, u.lastAt = w, o.Addr
	return w
}

// has reports whether the program, in the event's process, has used its dentry.
func (u *users) has(s *replay.Step, comm string) bool {
	w := u.of[s.Object.Addr]
	if w == nil || w.seq != s.Object.Seq {
		return false
	}
	k := u.key(s.Event.PID, comm)
	for _, by := range w.by {
		if by == k {
			return true
		}
	}
	return false
}

// forget ends what is known of a dentry whose memory is given back.
func (u *users) forget(s *replay.Step) {
	if w := u.of[s.Event.Dentry]; w != nil {
		delete(u.of, s.Event.Dentry)
		u.free = append(u.free, w)
		u.last = nil
	}
}

// leaves returns the name under which an ending process was last seen at work: its
// exit is told by whichever of its threads is last.
func (u *users) leaves(e *schema.Event) string {
	if len(u.gone) >= maxProcesses {
		clear(u.gone)
	}
	u.gone[e.PID] = true
	comm, ok := u.comm[e.PID]
	if !ok {
		return e.Comm
	}
	delete(u.comm, e.PID)
	u.lastPID = 0
	return comm
}
