// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// tape is a recording written event by event, with events that no simulated kernel would emit.
type tape struct {
	t      *testing.T
	w      *schema.Writer
	now    uint64
	tid    uint32
	comm   string
	keep   func(schema.Role) bool // the roles recorded; nil: all
	header *schema.Header         // may be changed before the first event
	file   bytes.Buffer
	frames []int // offsets at which they end

	inodes          map[uint64]uint64   // by the address of the dentry
	onEnter, onExit func(*schema.Event) // change the next event of that phase, once
	every           func(*schema.Event) // changes all events that have a dentry
}

const (
	pathAddr = 0xffff888300000020
	rootAddr = 0xffff888100000040
	addrA    = 0xffff888100001000
	addrB    = 0xffff8881000010c0
	addrC    = 0xffff888100001180
	addrD    = 0xffff888100001240
	addrE    = 0xffff888100001300
	addrF    = 0xffff8881000013c0
)

func (r *tape) put(role schema.Role, phase schema.Phase, set func(*schema.Event)) {
	r.now += 1000
	info, _ := role.Info()
	e := schema.Event{Time: r.now, PID: r.tid, TID: r.tid, Comm: r.comm, Role: role, Phase: phase}
	if phase == schema.Enter {
		e.Columns = info.Enter.Columns
	} else {
		e.Columns = info.Exit.Columns
	}
	set(&e)
	r.keepInode(&e)
	if phase == schema.Enter && r.onEnter != nil {
		r.onEnter(&e)
		r.onEnter = nil
	}
	if phase == schema.Exit && r.onExit != nil {
		r.onExit(&e)
		r.onExit = nil
	}
	if r.every != nil && e.Dentry != 0 {
		r.every(&e)
	}
	if r.keep != nil && !r.keep(role) {
		return
	}
	if err := r.writer().Append(&e); err != nil {
		r.t.Fatal(err)
	}
}

// keepInode gives events the inode that the dentry has until it is deleted, even if the scene says
// otherwise at its end.
func (r *tape) keepInode(e *schema.Event) {
	if r.inodes == nil {
		r.inodes = make(map[uint64]uint64)
	}
	switch e.Role {
	case schema.RoleKill, schema.RoleDrop:
		e.Inode = r.inodes[e.Dentry]
	case schema.RoleDelete:
		r.inodes[e.Dentry] = 0
	case schema.RoleFree:
	default:
		r.inodes[e.Dentry] = e.Inode
	}
}

func (r *tape) writer() *schema.Writer {
	if r.w == nil {
		var err error
		if r.w, err = schema.NewWriter(&r.file, r.header); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.w
}

// change alters the next event; changeExit alters the next exit.
func (r *tape) change(alter func(*schema.Event)) {
	r.onEnter = alter
	r.onExit = func(e *schema.Event) {
		if r.onEnter != nil {
			alter(e)
			r.onEnter = nil
		}
	}
}

func (r *tape) changeExit(alter func(*schema.Event)) { r.onExit = alter }

// elsewhere runs do as another task.
func (r *tape) elsewhere(do func()) {
	tid, comm := r.tid, r.comm
	r.tid, r.comm = 900, "other"
	do()
	r.tid, r.comm = tid, comm
}

func (r *tape) lose(role schema.Role, first, last uint64) {
	if err := r.writer().Loss(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Role: role, Count: 1, FirstNs: first, LastNs: last}); err != nil {
		r.t.Fatal(err)
	}
}

// flush ends the frame.
func (r *tape) flush() {
	if err := r.writer().Flush(); err != nil {
		r.t.Fatal(err)
	}
	r.frames = append(r.frames, r.file.Len())
}

func fillDentry(e *schema.Event, d, parent, inode uint64, name string) {
	if d != 0 {
		e.Dentry, e.Parent, e.Inode, e.Name, e.NameLen, e.NameAddr = d, parent, inode, name, uint32(len(name)), d+56
		e.Hash = schema.HashName(parent, name)
	}
}

func (r *tape) open(path string) {
	r.put(schema.RoleOpen, schema.Enter, func(e *schema.Event) { e.Name, e.NameLen, e.NameAddr = path, uint32(len(path)), pathAddr })
}

func (r *tape) fail(errno int) {
	r.put(schema.RoleOpen, schema.Exit, func(e *schema.Event) { e.Ret = uint64(-int64(errno)) })
}

func (r *tape) opened(d, parent, inode uint64, name string) {
	r.put(schema.RoleOpen, schema.Exit, func(e *schema.Event) { e.Ret = 0xffff888700000000; fillDentry(e, d, parent, inode, name) })
}

func (r *tape) look(role schema.Role, parent uint64, name string, off int, d, inode uint64) {
	r.put(role, schema.Enter, func(e *schema.Event) {
		e.Parent, e.Name, e.NameLen, e.NameAddr = parent, name, uint32(len(name)), pathAddr+uint64(off)
		e.Hash = schema.HashName(parent, name)
	})
	r.put(role, schema.Exit, func(e *schema.Event) { fillDentry(e, d, parent, inode, name) })
}

func (r *tape) rcu(parent uint64, name string, off int, d, inode uint64) {
	r.look(schema.RoleLookupRCU, parent, name, off, d, inode)
}

// alloc allocates a dentry and inserts it into the hash table.
func (r *tape) alloc(parent uint64, name string, off int, d, inode uint64) {
	r.allocOnly(name, off, d)
	r.on(schema.RoleInsert, schema.Exit, d, parent, inode, name)
}

// allocOnly allocates a dentry that is not inserted.
func (r *tape) allocOnly(name string, off int, d uint64) {
	r.put(schema.RoleAlloc, schema.Enter, func(e *schema.Event) {
		e.Name, e.NameLen, e.NameAddr = name, uint32(len(name)), pathAddr+uint64(off)
	})
	r.put(schema.RoleAlloc, schema.Exit, func(e *schema.Event) { fillDentry(e, d, d, 0, name) })
}

// bucketed inserts a dentry, with the bucket recorded.
func (r *tape) bucketed(parent uint64, name string, d uint64) {
	r.put(schema.RoleInsert, schema.Exit, func(e *schema.Event) {
		fillDentry(e, d, parent, 0, name)
		e.Bucket = r.header.Layout.DentryHashtable + 8*uint64(e.Hash>>r.header.Layout.DHashShift)
	})
}

// move renames a dentry within its directory.
func (r *tape) move(d, parent, inode uint64, from, to string) {
	r.on(schema.RoleMove, schema.Enter, d, parent, inode, from)
	r.on(schema.RoleMove, schema.Exit, d, parent, inode, to)
}

func (r *tape) on(role schema.Role, phase schema.Phase, d, parent, inode uint64, name string) {
	r.put(role, phase, func(e *schema.Event) { fillDentry(e, d, parent, inode, name) })
}

func (r *tape) kill(d, parent uint64, name string) {
	r.on(schema.RoleKill, schema.Enter, d, parent, 0, name)
}

func taped(t *testing.T, footer *schema.Footer, play func(*tape)) *Findings {
	t.Helper()
	r := &tape{t: t, now: 1e9, tid: 100, comm: "prog", header: tracetest.Header()}
	play(r)
	if err := r.writer().Close(footer); err != nil {
		t.Fatal(err)
	}
	return collect(t, r.file.Bytes())
}

// fooling are recordings with two dentries that might be mistaken for one.
var fooling = []struct {
	name string
	play func(*tape)
	want map[Kind]string
}{
	{"a directory that was missing is not the file that is there now", func(r *tape) {
		r.open("/d/f")
		r.rcu(rootAddr, "d", 1, 0, 0)
		r.alloc(rootAddr, "d", 1, addrA, 0)
		r.fail(2)
		r.kill(addrA, rootAddr, "d")
		r.open("/d/f")
		r.rcu(rootAddr, "d", 1, 0, 0)
		r.alloc(rootAddr, "d", 1, addrB, 7)
		r.rcu(addrB, "f", 3, 0, 0)
		r.alloc(addrB, "f", 3, addrC, 8)
		r.opened(addrC, addrB, 8, "f")
	}, map[Kind]string{Eviction: "0/0/0", Negative: "1/0/0"}},
	{"allocated as another name, renamed", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 5)
		r.opened(addrA, rootAddr, 5, "f")
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		r.open("g")
		r.rcu(rootAddr, "g", 0, 0, 0)
		r.alloc(rootAddr, "g", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "g")
		r.on(schema.RoleMove, schema.Enter, addrB, rootAddr, 6, "g")
		r.on(schema.RoleMove, schema.Exit, addrB, rootAddr, 6, "f")
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}, map[Kind]string{Eviction: "0/0/0"}},
	{"one relative path in two directories", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 5)
		r.opened(addrA, rootAddr, 5, "f")
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		r.tid = 200
		r.open("f")
		r.rcu(addrC, "f", 0, 0, 0)
		r.alloc(addrC, "f", 0, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}, map[Kind]string{Eviction: "0/0/0"}},
	{"dropped before the open returned", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrA, 0)
		r.on(schema.RoleDrop, schema.Enter, addrA, rootAddr, 0, "f")
		r.fail(2)
	}, map[Kind]string{Negative: "1/0/0"}},
	{"given an inode before the open returned", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrA, 0)
		r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 9, "f")
		r.fail(2)
	}, map[Kind]string{Negative: "0/0/1"}},
	{"the hit before the delete was another task's", func(r *tape) {
		r.tid, r.comm = 300, "other"
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 5)
		r.opened(addrA, rootAddr, 5, "f")
		r.tid, r.comm = 100, "prog"
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.kill(addrA, rootAddr, "f")
	}, map[Kind]string{Delete: "1/0/0"}},
	{"the parent's address was handed out in between", func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.tid = 400
		r.alloc(rootAddr, "zzz", 9999, addrA, 5)
		r.tid = 100
		r.rcu(addrA, "f", 2, addrB, 6)
		r.opened(addrB, addrA, 6, "f")
	}, map[Kind]string{Key: "0/0/1"}},
	{"the second pass went another way", func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.rcu(addrA, "f", 2, 0, 0)
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.rcu(addrC, "f", 2, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}, map[Kind]string{Key: "0/0/1"}},
	{"one component under two dentries", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.look(schema.RoleLookup, addrC, "f", 0, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}, map[Kind]string{Key: "0/0/1"}},
	{"a symbolic link to / has no component", func(r *tape) {
		r.open("/d/l/etc")
		r.rcu(rootAddr, "d", 1, addrA, 5)
		r.rcu(addrA, "l", 3, addrB, 6)
		r.rcu(rootAddr, "etc", 5, addrC, 7)
		r.opened(addrC, rootAddr, 7, "etc")
	}, map[Kind]string{Key: "0/0/1"}},
	{"a bucket between two buckets", func(r *tape) {
		r.put(schema.RoleInsert, schema.Exit, func(e *schema.Event) {
			fillDentry(e, addrA, rootAddr, 5, "f")
			e.Bucket = 0xffff888000200000 + 8*uint64(e.Hash>>14) + 5
		})
	}, map[Kind]string{Bucket: "0/1/0"}},
}

// What looks like a proof but is not is not taken for one.
func TestNotFooled(t *testing.T) {
	for _, tt := range fooling {
		t.Run(tt.name, func(t *testing.T) {
			f := taped(t, &schema.Footer{}, tt.play)
			for k, want := range tt.want {
				if got := f.tally(k); got != want {
					t.Errorf("%s: %s, want %s; doubts %+v", k, got, want, f.Doubts)
				}
			}
		})
	}
}

func TestALookupAfterTheKillIsNoLaterHit(t *testing.T) {
	f := taped(t, &schema.Footer{}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 5)
		r.opened(addrA, rootAddr, 5, "f")
		r.kill(addrA, rootAddr, "f")
		r.rcu(rootAddr, "f", 0, addrA, 5) // an rcu-walk that races with the kill
	})
	cl, ok := f.example(Equality)
	if !ok || strings.Contains(cl.Claim.Says(code), "later") {
		t.Errorf("proven %v: %s", ok, cl.Claim.Says(code))
	}
}

// If a loss record is in a damaged frame, the footer counts more losses than the file has.
func TestLossesMustAddUp(t *testing.T) {
	var buf bytes.Buffer
	w, err := schema.NewWriter(&buf, tracetest.Header())
	if err != nil {
		t.Fatal(err)
	}
	var ends []int
	frame := func() { ends = append(ends, buf.Len()) }
	k := tracetest.NewKernel(1, func(e *schema.Event) {
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
	})
	k.Task(1, "prog")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	frame()
	if err := w.Loss(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Count: 3, FirstNs: 1e9, LastNs: 2e9}); err != nil {
		t.Fatal(err)
	}
	frame()
	k.Open(true, "f")
	if err := w.Close(&schema.Footer{}); err != nil {
		t.Fatal(err)
	}
	b := buf.Bytes()
	if f := collect(t, b); f.Void != nil || f.tally(Equality) != "0/0/1" {
		t.Errorf("whole file: void %v, equality %s", f.Void, f.tally(Equality))
	}
	b[(ends[0]+ends[1])/2] ^= 0xff
	if f := collect(t, b); f.Void == nil || f.Tally.Total(Proven) > 0 {
		t.Errorf("the loss record is damaged: void %v, %d proven", f.Void, f.Tally.Total(Proven))
	}
}
