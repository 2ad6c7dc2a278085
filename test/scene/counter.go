// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"encoding/binary"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
)

// countedSymbols returns the functions to count by role. The first one that the kernel has is counted.
func countedSymbols() map[string][]string {
	return map[string][]string{
		"open":         {"do_filp_open", "do_file_open"},
		"lookup":       {"d_lookup"},
		"lookup_chain": {"__d_lookup"},
		"lookup_rcu":   {"__d_lookup_rcu"},
		"alloc":        {"__d_alloc"},
	}
}

// counter counts the calls and returns of kernel functions by tasks of one name. It shares no code with
// dtrec: each program is a few instructions that increment a number.
type counter struct {
	numbers  *ebpf.Map
	places   map[string][2]uint32 // by role: index of the calls, index of the returns
	programs []*ebpf.Program
	links    []link.Link
	missed   uint64 // total at the last take
}

// Counts is what a counter counted.
type Counts struct {
	Calls, Returns map[string]uint64 // by role
	Missed         uint64            // hits for which the kernel did not run the counter's own programs
}

func newCounter(comm string) *counter {
	check(rlimit.RemoveMemlock())
	c := &counter{places: map[string][2]uint32{}}
	var err error
	c.numbers, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8 * 16, MaxEntries: 1})
	check(err)
	next := uint32(0)
	for role, symbols := range countedSymbols() {
		c.places[role] = [2]uint32{next, next + 1}
		c.attach(symbols, ebpf.AttachTraceFEntry, comm, next)
		c.attach(symbols, ebpf.AttachTraceFExit, comm, next+1)
		next += 2
	}
	return c
}

// attach counts the hits of the first symbol that can be attached to, in number n.
func (c *counter) attach(symbols []string, how ebpf.AttachType, comm string, n uint32) {
	var program *ebpf.Program
	var err error
	for _, symbol := range symbols {
		program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: ebpf.Tracing, AttachType: how, AttachTo: symbol, License: "GPL", Instructions: c.count(comm, 8*n),
		})
		if err == nil {
			break
		}
	}
	check(err)
	l, err := link.AttachTracing(link.TracingOptions{Program: program})
	check(err)
	c.programs, c.links = append(c.programs, program), append(c.links, l)
}

// count returns a program that adds one to the number at an offset (in bytes) if the current task has
// the name.
func (c *counter) count(comm string, offset uint32) asm.Instructions {
	var name [16]byte
	copy(name[:15], comm)
	word := func(i int) int64 { return int64(binary.NativeEndian.Uint64(name[8*i:])) }
	return asm.Instructions{
		// The helper bpf_get_current_comm of Linux 6.1 does not clear the bytes after the name.
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.R10, -16, asm.R1, asm.DWord),
		asm.StoreMem(asm.R10, -8, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R10),
		asm.Add.Imm(asm.R1, -16),
		asm.Mov.Imm(asm.R2, 16),
		asm.FnGetCurrentComm.Call(),
		asm.LoadMem(asm.R1, asm.R10, -16, asm.DWord),
		asm.LoadImm(asm.R2, word(0), asm.DWord),
		asm.JNE.Reg(asm.R1, asm.R2, "out"),
		asm.LoadMem(asm.R1, asm.R10, -8, asm.DWord),
		asm.LoadImm(asm.R2, word(1), asm.DWord),
		asm.JNE.Reg(asm.R1, asm.R2, "out"),
		asm.LoadMapValue(asm.R1, c.numbers.FD(), offset),
		asm.Mov.Imm(asm.R2, 1),
		asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	}
}

// take returns what was counted since the last take. No task of the name may be running meanwhile.
func (c *counter) take() Counts {
	var numbers [16]uint64
	check(c.numbers.Lookup(uint32(0), &numbers))
	check(c.numbers.Put(uint32(0), new([16]uint64)))
	got := Counts{Calls: map[string]uint64{}, Returns: map[string]uint64{}, Missed: -c.missed}
	for role, at := range c.places {
		got.Calls[role], got.Returns[role] = numbers[at[0]], numbers[at[1]]
	}
	c.missed = 0
	for _, p := range c.programs {
		stats, err := p.Stats()
		check(err)
		c.missed += stats.RecursionMisses
	}
	got.Missed += c.missed
	return got
}

// stop detaches the programs.
func (c *counter) stop() {
	for _, l := range c.links {
		check(l.Close())
	}
}
