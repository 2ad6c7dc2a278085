// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// inspect loads the programs that answer questions when they are run (BPF_PROG_TEST_RUN), and runs the one
// called inspect once. It fills in the values of kernel variables in the layout, finds out when the kernel
// preempts and what this process's root directory is, and returns this process's tgid in the initial pid
// namespace.
func (s *Session) inspect(spec *ebpf.CollectionSpec, cache *btf.Cache) (self uint32, err error) {
	symbols := findSymbols(spec, cache, symbol{"dentry_hashtable", "__dentry_hashtable"}, symbol{"d_hash_shift"}, symbol{"preempt_dynamic_mode"})
	spec = querySpec(spec, "inspect", "fstype_of", "trampoline_of", "look_at_trampolines")
	addresses := map[string]any{"hashtable_addr": symbols[0], "shift_addr": symbols[1], "preempt_addr": symbols[2]}
	kernel, err := cache.Kernel()
	if err != nil {
		return 0, err
	}
	members := trampolineMembers(kernel)
	if members["trampoline_owner"] == nil {
		s.trampolines.slack = uint64(Lag)
	}
	if err := errors.Join(setAll(spec, addresses), setAll(spec, members)); err != nil {
		return 0, err
	}
	if s.queries, err = ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: cache}); err != nil {
		return 0, oneLine(err)
	}
	if _, err := s.queries.Programs["inspect"].Run(&ebpf.RunOptions{}); err != nil {
		return 0, fmt.Errorf("run inspect: %w", err)
	}
	var mode int32
	err = errors.Join(
		s.queries.Variables["self_tgid"].Get(&self),
		s.queries.Variables["hashtable"].Get(&s.layout.DentryHashtable),
		s.queries.Variables["hash_shift"].Get(&s.layout.DHashShift),
		s.queries.Variables["root_seen"].Get(&s.root),
		s.queries.Variables["preempt_mode"].Get(&mode))
	s.preempt = preemption(Kernel().Version, mode-1, mode != 0)
	return self, err
}

// querySpec returns a copy of the spec with only these programs, which are run directly and need no maps.
func querySpec(spec *ebpf.CollectionSpec, programs ...string) *ebpf.CollectionSpec {
	spec = withPrograms(spec, programs...)
	maps.DeleteFunc(spec.Maps, func(name string, _ *ebpf.MapSpec) bool { return name != ".bss" && name != ".rodata" })
	return spec
}

// symbol is a kernel variable: the names it has had.
type symbol []string

// findSymbols returns the addresses of kernel variables; 0 for one that the kernel does not tell. It asks the
// kernel where bpf_kallsyms_lookup_name exists (5.16), because printing all of /proc/kallsyms takes the
// kernel as long as attaching twenty probes. Until 6.2, a lookup of a name that does not exist takes half as
// long as that.
func findSymbols(spec *ebpf.CollectionSpec, cache *btf.Cache, symbols ...symbol) []uint64 {
	var lookUp func(name string) uint64
	coll, err := ebpf.NewCollectionWithOptions(querySpec(spec, "find_symbol"), ebpf.CollectionOptions{Cache: cache})
	if err == nil {
		defer coll.Close()
		lookUp = func(name string) (addr uint64) {
			var padded [symbolSize]byte
			copy(padded[:], name)
			_ = ask(coll, "find_symbol", "symbol_name", padded, "symbol_addr", &addr) // 0 if there is none of that name
			return addr
		}
	} else {
		told, _ := kallsyms("/proc/kallsyms", slices.Concat(symbols...)...)
		lookUp = func(name string) uint64 { return told[name] }
	}
	found := make([]uint64, len(symbols))
	for i, names := range symbols {
		for _, name := range names {
			if found[i] == 0 {
				found[i] = lookUp(name)
			}
		}
	}
	return found
}

// ask sets a variable, runs the program that answers it, and reads the answer from another variable.
func ask(queries *ebpf.Collection, program, in string, question any, out string, answer any) error {
	if err := queries.Variables[in].Set(question); err != nil {
		return err
	}
	if _, err := queries.Programs[program].Run(&ebpf.RunOptions{}); err != nil {
		return err
	}
	return queries.Variables[out].Get(answer)
}

const (
	symbolSize = 32 // size of symbol_name in target.h, bytes
	fstypeSize = 16 // size of fstype_name in target.h, bytes
)

// Preemption returns when this kernel preempts, which decides which way of attaching is tried first.
func (s *Session) Preemption() Preemption { return s.preempt }

// FilesystemType returns the name of the struct file_system_type at an address, cut at 15 bytes; empty if it
// could not be read. Only one goroutine at a time may call it, but it may do so while another one uses the
// rest of the session.
func (s *Session) FilesystemType(addr uint64) string {
	var name [fstypeSize]byte
	if addr == 0 || ask(s.queries, "fstype_of", "fstype_addr", addr, "fstype_name", &name) != nil {
		return ""
	}
	return unix.ByteSliceToString(name[:])
}
