// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// longName returns a name of so many bytes that differs for each i.
func longName(i, bytes int) string {
	s := fmt.Sprintf("%d_", i)
	return s + strings.Repeat("n", bytes-len(s))
}

// addressOf returns the i-th address of a slab.
func addressOf(i int) uint64 { return 0xffff888100000000 + uint64(i)*192 }

const (
	enter = schema.Enter
	exit  = schema.Exit
)

// openEntry returns the entry of an open of a path, whose string is outside the slab.
func openEntry(path string) schema.Event {
	return schema.Event{Role: schema.RoleOpen, Phase: enter, Name: path, NameLen: uint32(len(path)), NameAddr: 0xffff999900000000}
}

// dentryEvent returns an event of the i-th dentry.
func dentryEvent(role schema.Role, phase schema.Phase, i int, name string) schema.Event {
	return schema.Event{Role: role, Phase: phase, Dentry: addressOf(i), Name: name, NameLen: uint32(len(name)), NameAddr: addressOf(i) + 56, Parent: addressOf(0), Inode: uint64(i)}
}

type emit = func(schema.Event)

// byTask returns the event as one of the given task.
func byTask(e schema.Event, task int) schema.Event {
	e.PID, e.TID, e.Comm = uint32(task+1), uint32(task+1), fmt.Sprintf("task-%d", task)
	return e
}

// lookupEntry returns the entry of a lookup of the name at an offset in the path.
func lookupEntry(name string, offset int) schema.Event {
	return schema.Event{Role: schema.RoleLookupRCU, Phase: enter, Name: name, NameLen: uint32(len(name)), NameAddr: 0xffff999900000000 + uint64(offset), Parent: addressOf(0)}
}

// costly are the events of traces of valid form that were made up to cost memory or time: n events, about.
var costly = map[string]func(n int, emit emit){
	"opens-on-one-thread": func(n int, emit emit) {
		for i := range n {
			emit(openEntry(longName(i, 100)))
		}
	},
	"opens-on-a-million-threads": func(n int, emit emit) {
		for i := range n {
			emit(byTask(openEntry(longName(i, 1000)), i))
		}
	},
	"opens-that-grow-on-threads": func(n int, emit emit) {
		for t := range 300 {
			emit(byTask(openEntry("/x"), t))
		}
		for i := range n {
			emit(byTask(lookupEntry("x", 1), i%300))
		}
	},
	"lookups-within-lookups": func(n int, emit emit) {
		emit(openEntry("/x"))
		for range n {
			emit(lookupEntry("x", 1))
		}
		emit(dentryEvent(schema.RoleOpen, exit, 1, "x"))
	},
	"one-open-of-everything": func(n int, emit emit) {
		emit(openEntry("/x"))
		for i := range n / 2 {
			emit(lookupEntry("x", 1))
			emit(dentryEvent(schema.RoleLookupRCU, exit, i%5000, "x"))
		}
		emit(dentryEvent(schema.RoleOpen, exit, 1, "x"))
	},
	"dentries": func(n int, emit emit) {
		for i := range n {
			emit(dentryEvent(schema.RoleAlloc, exit, i, longName(i, 24)))
		}
	},
	"dentries-of-long-names": func(n int, emit emit) {
		for i := range n / 10 {
			emit(dentryEvent(schema.RoleInsert, exit, i, longName(i, 4000)))
		}
	},
	"kills": func(n int, emit emit) {
		for i := range n / 2 {
			emit(dentryEvent(schema.RoleAlloc, exit, i, "x"))
			emit(dentryEvent(schema.RoleKill, enter, i, "x"))
		}
	},
	"deletes": func(n int, emit emit) {
		for i := range n {
			emit(dentryEvent(schema.RoleDelete, enter, i, longName(i, 40)))
		}
	},
	"files": func(n int, emit emit) {
		for i := range n / 4 {
			emit(openEntry("/" + longName(i, 60)))
			emit(lookupEntry(longName(i, 60), 1))
			emit(dentryEvent(schema.RoleLookupRCU, exit, i+1, longName(i, 60)))
			emit(dentryEvent(schema.RoleOpen, exit, i+1, longName(i, 60)))
		}
	},
	"paths-of-programs": func(n int, emit emit) {
		for i := range n / 4 {
			emit(byTask(openEntry("/"+longName(i, 3000)), i%1000))
			emit(byTask(lookupEntry(longName(i, 255), 1), i%1000))
			emit(byTask(dentryEvent(schema.RoleLookupRCU, exit, i%99+1, longName(i, 255)), i%1000))
			emit(byTask(dentryEvent(schema.RoleOpen, exit, i%99+1, longName(i, 255)), i%1000))
		}
	},
	"components": func(n int, emit emit) {
		path := strings.Repeat("/a", 2000)
		for i := 0; i < n; i += 4002 {
			emit(byTask(openEntry(path), i%64))
			for c := range 2000 {
				emit(byTask(lookupEntry("a", 2*c+1), i%64))
				emit(byTask(dentryEvent(schema.RoleLookupRCU, exit, c+1, "a"), i%64))
			}
			emit(byTask(dentryEvent(schema.RoleOpen, exit, 2000, "a"), i%64))
		}
	},
	"allocs-in-one-open": func(n int, emit emit) {
		for i := 0; i < n; i += 4000 {
			emit(openEntry("/x"))
			for c := range 1333 {
				emit(schema.Event{Role: schema.RoleAlloc, Phase: enter, Name: "x", NameLen: 1, NameAddr: 0xffff999900000001})
				emit(dentryEvent(schema.RoleAlloc, exit, i+c, "x"))
				emit(dentryEvent(schema.RoleKill, enter, i+c, "x"))
			}
			emit(schema.Event{Role: schema.RoleOpen, Phase: exit, Ret: ^uint64(1)})
		}
	},
	"programs-by-name": func(n int, emit emit) {
		for i := range n {
			emit(byTask(dentryEvent(schema.RoleUnlink, enter, i%9, "x"), i))
		}
	},
	"execs": func(n int, emit emit) {
		for i := range n {
			emit(byTask(schema.Event{Role: schema.RoleExec, Phase: enter, Name: longName(i, 200), NameLen: 200}, i))
		}
	},
	"forks": func(n int, emit emit) {
		for i := range n {
			emit(byTask(schema.Event{Role: schema.RoleFork, Phase: enter, Child: uint32(i + 2)}, i))
		}
	},
	"forks-of-one-pid-beside-threads": func(n int, emit emit) {
		for i := range min(n/2, 60_000) {
			emit(byTask(schema.Event{Role: schema.RoleFork, Phase: enter, Child: uint32(i + 2)}, i))
		}
		for range n / 2 {
			emit(schema.Event{Role: schema.RoleFork, Phase: enter, Child: 9})
		}
	},
	"exits-beside-threads": func(n int, emit emit) {
		for i := range min(n/2, 16_000) {
			emit(byTask(openEntry("/x"), i+8))
		}
		for range n / 2 {
			emit(schema.Event{Role: schema.RoleExit, Phase: enter})
		}
	},
	"execs-beside-calls": func(n int, emit emit) {
		for i := range min(n/2, 60_000) {
			e := byTask(schema.Event{Role: schema.RoleExecve, Phase: enter}, i+8)
			if i%2 == 0 {
				e.PID = 7
			}
			emit(e)
		}
		for i := range n / 4 {
			e := byTask(schema.Event{Role: schema.RoleExecve, Phase: enter}, i+8)
			emit(e)
			e.Phase = exit
			emit(e)
			emit(schema.Event{Role: schema.RoleExec, Phase: enter, Name: "x", NameLen: 1})
		}
	},
	"moves": func(n int, emit emit) {
		for i := range n / 2 {
			e := dentryEvent(schema.RoleMove, enter, i, longName(i, 200))
			e.Target = addressOf(i + 1)
			emit(e)
			emit(dentryEvent(schema.RoleMove, exit, i, longName(i+1, 200)))
		}
	},
}
