// SPDX-License-Identifier: Apache-2.0

// Package tracetest makes traces for tests and benchmarks: a small simulated dcache opens files, and emits
// the events that a recording of it would have.
package tracetest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// dentry is a node of the simulated cache.
type dentry struct {
	addr, inode uint64
	parent      *dentry
	name        string
	hash        uint32
}

// The only filesystem.
const (
	fsType = "ext4"
	fsDev  = 259<<20 | 1
)

// directories are the names that no file has.
var directories = []string{"include", "kernel", "fs", "usr", "src"}

// Kernel simulates tasks that open files.
type Kernel struct {
	record func(*schema.Event) // is given every event

	m     Machine
	rng   *rand.Rand
	now   uint64
	free  []uint64
	next  uint64
	live  []*dentry
	cache map[key]*dentry
	root  *dentry
	ev    schema.Event

	entered   [schema.RoleCall][]uint64 // entry times of the calls in progress
	disturbed bool                      // the next walk of a cached component fails in rcu-walk
}

type key struct {
	parent *dentry
	name   string
}

// NewKernel returns a kernel of the zero Machine. The same seed gives the same behaviour.
func NewKernel(seed uint64, emit func(*schema.Event)) *Kernel { return Machine{}.NewKernel(seed, emit) }

// NewKernel returns a kernel of the machine. The same seed gives the same behaviour.
func (m Machine) NewKernel(seed uint64, emit func(*schema.Event)) *Kernel {
	r := &dentry{addr: m.root(), inode: m.at(inodeBase), name: "/"}
	r.parent = r
	return &Kernel{record: emit, m: m, rng: rand.New(rand.NewPCG(seed, 1)), now: 1e9 + m.Later,
		next: r.addr + dentrySize*uint64(1+m.Occupied), cache: make(map[key]*dentry), root: r}
}

// Generate emits at least n events of several programs that open a few thousand files, some of them
// missing, under cache pressure.
func Generate(n int, emit func(*schema.Event)) { Machine{}.Generate(n, emit) }

// Generate is the function Generate on this machine.
func (m Machine) Generate(n int, emit func(*schema.Event)) {
	made := 0
	k := m.NewKernel(1, func(e *schema.Event) { made++; emit(e) })
	for made < n {
		task := k.rng.IntN(8)
		name := fmt.Sprintf("file_%d.h", k.rng.IntN(3000))
		if k.rng.IntN(20) == 0 {
			name = fmt.Sprintf("a_longer_name_that_is_kept_outside_of_the_dentry_%d", k.rng.IntN(300))
		}
		dir := directories[k.rng.IntN(3)]
		k.Task(uint32(1000+task), "worker_"+string(rune('a'+task%4)))
		k.Open(k.rng.IntN(7) != 0, "usr", "src", dir, name)
		if len(k.live) > 2500 {
			k.Kill(k.rng.IntN(len(k.live)))
		}
	}
}

// Bytes returns a complete trace of the zero Machine with the events that gen emits.
func Bytes(gen func(emit func(*schema.Event))) ([]byte, error) { return write(Header(), gen) }

// Task sets the task of what follows.
func (k *Kernel) Task(pid uint32, comm string) {
	pid += k.m.PIDs
	k.ev = schema.Event{PID: pid, TID: pid, Comm: comm, CPU: pid % 4}
}

// walk looks up directories, and returns the last one and the address of the name that follows it in the path.
func (k *Kernel) walk(directories []string) (d *dentry, at uint64) {
	d, at = k.root, k.buffer()+1
	for _, name := range directories {
		d = k.lookUp(d, name, at, true)
		at += uint64(len(name)) + 1
	}
	return d, at
}

// walkToParent looks up directories and then the last component with d_lookup, as an operation does that has locked
// the directory.
func (k *Kernel) walkToParent(components []string, exists bool) *dentry {
	last := len(components) - 1
	parent, at := k.walk(components[:last])
	d := k.cache[key{parent, components[last]}]
	k.lookup(schema.RoleLookup, parent, components[last], at, d)
	if d == nil {
		d = k.alloc(parent, components[last], at, exists)
	}
	return d
}

func (k *Kernel) lookUp(parent *dentry, name string, at uint64, exists bool) *dentry {
	d := k.cache[key{parent, name}]
	if d != nil && k.disturbed {
		k.disturbed = false
		k.lookup(schema.RoleLookupRCU, parent, name, at, nil)
		k.lookup(schema.RoleLookup, parent, name, at, d)
		return d
	}
	k.lookup(schema.RoleLookupRCU, parent, name, at, d)
	if d != nil {
		return d
	}
	k.lookup(schema.RoleLookup, parent, name, at, nil)
	return k.alloc(parent, name, at, exists)
}

func (k *Kernel) lookup(role schema.Role, parent *dentry, name string, at uint64, found *dentry) {
	k.emit(role, schema.Enter, func(e *schema.Event) { k.key(e, parent, name, at) })
	if role == schema.RoleLookup {
		k.lookup(schema.RoleLookupChain, parent, name, at, found)
	}
	k.show(role, schema.Exit, found)
}

func (k *Kernel) key(e *schema.Event, parent *dentry, name string, at uint64) {
	e.Parent, e.Name, e.NameLen, e.NameAddr = parent.addr, name, uint32(len(name)), at
	e.Hash = schema.HashName(parent.addr, name)
	if parent == k.root {
		e.Facts = schema.FactParentIsRoot
	}
}

func (k *Kernel) inode() uint64 { return k.m.at(inodeBase) + k.rng.Uint64N(1<<24)*1024 }

func (k *Kernel) alloc(parent *dentry, name string, at uint64, exists bool) *dentry {
	d := &dentry{parent: parent, name: name, hash: schema.HashName(parent.addr, name)}
	if n := len(k.free); n > 0 {
		d.addr, k.free = k.free[n-1], k.free[:n-1]
	} else {
		d.addr = k.next
		k.next += dentrySize
	}
	k.emit(schema.RoleAlloc, schema.Enter, func(e *schema.Event) { k.key(e, parent, name, at); e.Parent, e.Facts = 0, 0 })
	k.emit(schema.RoleAlloc, schema.Exit, func(e *schema.Event) {
		k.setDentry(d, e)
		e.Parent, e.Facts = d.addr, e.Facts|schema.FactUnhashed
	})
	if exists {
		d.inode = k.inode()
	}
	k.emit(schema.RoleInsert, schema.Exit, func(e *schema.Event) {
		k.setDentry(d, e)
		e.Bucket = k.m.at(hashtable) + 8*uint64(d.hash>>hashShift)
	})
	k.cache[key{parent, name}] = d
	if !slices.Contains(directories, name) {
		k.live = append(k.live, d)
	}
	return d
}

// Kill kills and frees the i-th live dentry that is not a directory.
func (k *Kernel) Kill(i int) {
	d := k.live[i]
	k.live[i] = k.live[len(k.live)-1]
	k.live = k.live[:len(k.live)-1]
	delete(k.cache, key{d.parent, d.name})
	k.show(schema.RoleKill, schema.Enter, d)
	k.show(schema.RoleFree, schema.Enter, d)
	k.free = append(k.free, d.addr)
}

// setDentry sets the dentry fields; a nil dentry leaves them NULL.
func (k *Kernel) setDentry(d *dentry, e *schema.Event) {
	if d == nil {
		return
	}
	e.Dentry, e.Parent, e.Inode, e.Name, e.NameLen, e.Hash = d.addr, d.parent.addr, d.inode, d.name, uint32(len(d.name)), d.hash
	e.NameAddr = d.addr + inlineName
	if uint32(len(d.name)) >= k.m.inline() {
		e.NameAddr = k.m.at(nameBase) + (d.addr-k.m.at(slabBase))/dentrySize*96
	}
	if d.parent == k.root {
		e.Facts = schema.FactParentIsRoot
	}
}

// show emits an event about a dentry.
func (k *Kernel) show(role schema.Role, phase schema.Phase, d *dentry) {
	k.emit(role, phase, func(e *schema.Event) { k.setDentry(d, e) })
}

func (k *Kernel) emit(role schema.Role, phase schema.Phase, set func(*schema.Event)) {
	k.now += 100 + k.rng.Uint64N(3000)
	e := k.ev
	e.Time, e.Role, e.Phase = k.now, role, phase
	e.Columns = role.Shape(phase).Columns
	set(&e)
	if e.Columns.Has(schema.ColumnFilesystem) && role != schema.RoleOpen {
		e.FSType, e.Dev = fsType, fsDev
	}
	switch {
	case phase == schema.Enter:
		k.entered[role] = append(k.entered[role], e.Time)
	case e.Columns.Has(schema.ColumnTook):
		n := len(k.entered[role]) - 1
		e.Entered, k.entered[role] = k.entered[role][n], k.entered[role][:n]
	}
	k.record(&e)
}
