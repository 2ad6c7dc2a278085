// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// long returns a name of so many bytes that differs for each i.
func long(i, bytes int) string {
	s := fmt.Sprintf("%d_", i)
	return s + strings.Repeat("n", bytes-len(s))
}

// at returns the i-th address of a slab.
func at(i int) uint64 { return 0xffff888100000000 + uint64(i)*192 }

const (
	enter = schema.Enter
	exit  = schema.Exit
)

// opening returns the entry of an open of a path, whose string is outside the slab.
func opening(path string) schema.Event {
	return schema.Event{Role: schema.RoleOpen, Phase: enter, Name: path, NameLen: uint32(len(path)), NameAddr: 0xffff999900000000}
}

// shown returns an event of the i-th dentry.
func shown(role schema.Role, phase schema.Phase, i int, name string) schema.Event {
	return schema.Event{Role: role, Phase: phase, Dentry: at(i), Name: name, NameLen: uint32(len(name)), NameAddr: at(i) + 56, Parent: at(0), Inode: uint64(i)}
}

type emit = func(schema.Event)

// by returns the event as one of the given task.
func by(e schema.Event, task int) schema.Event {
	e.PID, e.TID, e.Comm = uint32(task+1), uint32(task+1), fmt.Sprintf("task-%d", task)
	return e
}

// step returns the entry of a lookup of the name at an offset in the path.
func step(name string, offset int) schema.Event {
	return schema.Event{Role: schema.RoleLookupRCU, Phase: enter, Name: name, NameLen: uint32(len(name)), NameAddr: 0xffff999900000000 + uint64(offset), Parent: at(0)}
}

// histories returns traces of valid form, with events that were made up to cost memory or time.
func histories(n int) []Attack {
	return slices.Concat(opens(n), dentries(n), paths(n), tasks(n))
}

func opens(n int) []Attack {
	return []Attack{
		events("opens-on-one-thread", func(emit emit) {
			for i := range n {
				emit(opening(long(i, 100)))
			}
		}),
		events("opens-on-a-million-threads", func(emit emit) {
			for i := range n {
				emit(by(opening(long(i, 1000)), i))
			}
		}),
		events("opens-that-grow-on-threads", func(emit emit) {
			for t := range 300 {
				emit(by(opening("/x"), t))
			}
			for i := range n {
				emit(by(step("x", 1), i%300))
			}
		}),
		events("lookups-within-lookups", func(emit emit) {
			emit(opening("/x"))
			for range n {
				emit(step("x", 1))
			}
			emit(shown(schema.RoleOpen, exit, 1, "x"))
		}),
		events("one-open-of-everything", func(emit emit) {
			emit(opening("/x"))
			for i := range n / 2 {
				emit(step("x", 1))
				emit(shown(schema.RoleLookupRCU, exit, i%5000, "x"))
			}
			emit(shown(schema.RoleOpen, exit, 1, "x"))
		}),
	}
}

func dentries(n int) []Attack {
	return []Attack{
		events("dentries", func(emit emit) {
			for i := range n {
				emit(shown(schema.RoleAlloc, exit, i, long(i, 24)))
			}
		}),
		events("dentries-of-long-names", func(emit emit) {
			for i := range n / 10 {
				emit(shown(schema.RoleInsert, exit, i, long(i, 4000)))
			}
		}),
		events("kills", func(emit emit) {
			for i := range n / 2 {
				emit(shown(schema.RoleAlloc, exit, i, "x"))
				emit(shown(schema.RoleKill, enter, i, "x"))
			}
		}),
		events("deletes", func(emit emit) {
			for i := range n {
				emit(shown(schema.RoleDelete, enter, i, long(i, 40)))
			}
		}),
	}
}

func paths(n int) []Attack {
	return []Attack{
		events("files", func(emit emit) {
			for i := range n / 4 {
				emit(opening("/" + long(i, 60)))
				emit(step(long(i, 60), 1))
				emit(shown(schema.RoleLookupRCU, exit, i+1, long(i, 60)))
				emit(shown(schema.RoleOpen, exit, i+1, long(i, 60)))
			}
		}),
		events("paths-of-programs", func(emit emit) {
			for i := range n / 4 {
				emit(by(opening("/"+long(i, 3000)), i%1000))
				emit(by(step(long(i, 255), 1), i%1000))
				emit(by(shown(schema.RoleLookupRCU, exit, i%99+1, long(i, 255)), i%1000))
				emit(by(shown(schema.RoleOpen, exit, i%99+1, long(i, 255)), i%1000))
			}
		}),
		events("components", func(emit emit) {
			path := strings.Repeat("/a", 2000)
			for i := 0; i < n; i += 4002 {
				emit(by(opening(path), i%64))
				for c := range 2000 {
					emit(by(step("a", 2*c+1), i%64))
					emit(by(shown(schema.RoleLookupRCU, exit, c+1, "a"), i%64))
				}
				emit(by(shown(schema.RoleOpen, exit, 2000, "a"), i%64))
			}
		}),
		events("allocs-in-one-open", func(emit emit) {
			for i := 0; i < n; i += 4000 {
				emit(opening("/x"))
				for c := range 1333 {
					emit(schema.Event{Role: schema.RoleAlloc, Phase: enter, Name: "x", NameLen: 1, NameAddr: 0xffff999900000001})
					emit(shown(schema.RoleAlloc, exit, i+c, "x"))
					emit(shown(schema.RoleKill, enter, i+c, "x"))
				}
				emit(schema.Event{Role: schema.RoleOpen, Phase: exit, Ret: ^uint64(1)})
			}
		}),
	}
}

func tasks(n int) []Attack {
	return []Attack{
		events("programs-by-name", func(emit emit) {
			for i := range n {
				emit(by(shown(schema.RoleUnlink, enter, i%9, "x"), i))
			}
		}),
		events("execs", func(emit emit) {
			for i := range n {
				emit(by(schema.Event{Role: schema.RoleExec, Phase: enter, Name: long(i, 200), NameLen: 200}, i))
			}
		}),
		events("forks", func(emit emit) {
			for i := range n {
				emit(by(schema.Event{Role: schema.RoleFork, Phase: enter, Child: uint32(i + 2)}, i))
			}
		}),
		events("moves", func(emit emit) {
			for i := range n / 2 {
				e := shown(schema.RoleMove, enter, i, long(i, 200))
				e.Target = at(i + 1)
				emit(e)
				emit(shown(schema.RoleMove, exit, i, long(i+1, 200)))
			}
		}),
	}
}
