// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// isKprobe reports whether programs attached in this way come from kprobe.bpf.c.
func isKprobe(a schema.Attach) bool {
	return a != schema.Fentry && a != schema.Fexit && a != schema.TPBTF
}

// Mode says which ways of attaching to functions may be tried. Tracepoints have only one way, which every
// mode tries.
type Mode uint8

// The modes.
const (
	AnyMode    Mode = iota // fentry and fexit, then kprobe.multi, then kprobes one at a time; kprobe.multi first where the kernel preempts
	FentryMode             // fentry and fexit only
	KprobeMode             // kprobe.multi, then kprobes one at a time
)

// kernelTraits holds the properties of a kernel that decide in which order the ways are tried.
type kernelTraits struct {
	preempts bool // a task may be preempted inside a trampoline's program; hits of other tasks on that CPU are then missed
	profiles bool // missed hits are known for kprobes with a name in tracefs, and not for any link
}

// ways returns how a function may be attached to in this mode, in the order tried. Programs of kprobes run
// without preemption. A single kprobe costs more than kprobe.multi, but it comes first where only its missed
// hits are counted, as uncounted misses leave claims unproven.
func (m Mode) ways(phase schema.Phase, kernel kernelTraits) []schema.Attach {
	ways := []schema.Attach{schema.Fentry, schema.KprobeMulti, schema.Kprobe}
	if phase != schema.Enter {
		ways = []schema.Attach{schema.Fexit, schema.KretprobeMulti, schema.Kretprobe}
	}
	if kernel.profiles {
		ways[1], ways[2] = ways[2], ways[1]
	}
	switch m {
	case FentryMode:
		return ways[:1]
	case KprobeMode:
		return ways[1:]
	}
	if kernel.preempts {
		ways[0], ways[1] = ways[1], ways[0]
	}
	return ways
}

// probe is one role and phase and the places where it can be observed.
type probe struct {
	role       schema.Role
	phase      schema.Phase
	required   bool // a recording without it proves too little to be worth starting
	candidates []candidate
}

// sharedProgram returns the program of kprobe.bpf.c that serves this probe and others where kprobe.multi is the
// first way tried: one link holds all their functions, and a cookie tells which one was hit. It is empty if
// there is none.
func (p probe) sharedProgram() string {
	for _, o := range pathOperations {
		switch {
		case o.role == p.role && p.phase == schema.Enter:
			return "operation_enter"
		case o.role == p.role:
			return "operation_exit"
		}
	}
	return ""
}

// candidate is one way to observe a role and phase.
type candidate struct {
	symbol  string // kernel function or tracepoint
	attach  schema.Attach
	program string // in dcache.bpf.c and, except for tracepoints, in kprobe.bpf.c

	// What the program expects of the function's prototype, checked against the kernel's BTF: the number of
	// parameters, and which of them and whether the result point to these structs; "" is not checked.
	// Tracepoints have none (nil), because their arguments only ever grow at the end.
	params  []string
	returns string
}

// plan returns every probe with its candidates in the order tried: for each way of the mode, every symbol. A
// tracepoint is the last way. One that stands first in the table comes first if the kernel does not preempt
// its programs (from 7.0 on some kernels do).
func plan(mode Mode, kernel kernelTraits) []probe {
	probes := slices.Concat(roles(), walks(), operations())
	for i, p := range probes {
		ways := append(mode.ways(p.phase, kernel), schema.TPBTF)
		if p.candidates[0].attach == schema.TPBTF && !kernel.preempts {
			ways = append([]schema.Attach{schema.TPBTF}, mode.ways(p.phase, kernel)...)
		}
		var tried []candidate
		for _, way := range ways {
			for _, c := range p.candidates {
				if (c.attach == schema.TPBTF) == (way == schema.TPBTF) {
					c.attach = way
					tried = append(tried, c)
				}
			}
		}
		probes[i].candidates = tried
	}
	return probes
}

// Parameters of functions: pointers to these structs; "" is not checked.
var (
	openParams   = []string{"", "filename", "open_flags"}
	lookupParams = []string{"dentry", "qstr"}
	rcuParams    = []string{"dentry", "qstr", ""}
	allocParams  = []string{"super_block", "qstr"}
	dentryParam  = []string{"dentry"}
	moveParams   = []string{"dentry", "dentry", ""}
	unlink2      = []string{"inode", "dentry", ""}
	unlink3      = []string{"", "inode", "dentry", ""}
)

// roles returns the probes of the dcache and of processes, with the symbols that have played each role; the
// ways of attaching are added by plan. Free comes first, because whether it is attached decides if kill
// forgets a dentry.
//
// A role is required if hardly any claim can be proven without it: open, both lookups of the open path,
// alloc, insert and kill, and fork, by which a command's processes are found. A recording does not start
// without one of them. Any other role without a probe is a gap: the header names it, the claims that need it
// are unproven, and the rest is recorded.
func roles() []probe {
	return []probe{
		{schema.RoleFree, schema.Enter, false, []candidate{{"dentry_free", 0, "free_enter", dentryParam, ""}}},
		{schema.RoleOpen, schema.Enter, true, []candidate{
			{"do_filp_open", 0, "open_enter", openParams, "file"},
			{"do_file_open", 0, "open_enter", openParams, "file"}, // from 7.0
		}},
		{schema.RoleOpen, schema.Exit, true, []candidate{
			{"do_filp_open", 0, "open_exit", openParams, "file"},
			{"do_file_open", 0, "open_exit", openParams, "file"},
		}},
		{schema.RoleLookup, schema.Enter, true, []candidate{{"d_lookup", 0, "lookup_enter", lookupParams, "dentry"}}},
		{schema.RoleLookup, schema.Exit, true, []candidate{{"d_lookup", 0, "lookup_exit", lookupParams, "dentry"}}},
		{schema.RoleLookupChain, schema.Whole, false, []candidate{{"__d_lookup", 0, "chain_call", lookupParams, "dentry"}}},
		{schema.RoleLookupRCU, schema.Whole, true, []candidate{{"__d_lookup_rcu", 0, "rcu_call", rcuParams, "dentry"}}},
		{schema.RoleAlloc, schema.Whole, true, []candidate{{"__d_alloc", 0, "alloc_call", allocParams, "dentry"}}},
		{schema.RoleParallel, schema.Exit, false, []candidate{
			{"d_alloc_parallel", 0, "parallel3_exit", rcuParams, "dentry"},
			{"d_alloc_parallel", 0, "parallel2_exit", lookupParams, "dentry"}, // from 7.2
		}},
		{schema.RoleInsert, schema.Exit, true, []candidate{{"__d_rehash", 0, "insert_exit", dentryParam, ""}}},
		{schema.RoleInstantiate, schema.Exit, false, []candidate{
			{"__d_instantiate", 0, "instantiate_exit", []string{"dentry", "inode"}, ""}}},
		{schema.RoleDelete, schema.Enter, false, []candidate{{"d_delete", 0, "delete_enter", dentryParam, ""}}},
		{schema.RoleDelete, schema.Exit, false, []candidate{{"d_delete", 0, "delete_exit", dentryParam, ""}}},
		{schema.RoleDrop, schema.Enter, false, []candidate{{"__d_drop", 0, "drop_enter", dentryParam, ""}}},
		{schema.RoleKill, schema.Enter, true, []candidate{
			{"__dentry_kill", 0, "kill_enter", dentryParam, ""},
			{"dentry_kill", 0, "try_kill_enter", dentryParam, ""}, // from 7.2
		}},
		{schema.RoleMove, schema.Enter, false, []candidate{{"__d_move", 0, "move_enter", moveParams, ""}}},
		{schema.RoleMove, schema.Exit, false, []candidate{{"__d_move", 0, "move_exit", moveParams, ""}}},
		{schema.RoleEvict, schema.Enter, false, []candidate{{"drop_slab", 0, "evict_enter", []string{}, ""}}},
		{schema.RoleEvict, schema.Exit, false, []candidate{{"drop_slab", 0, "evict_exit", []string{}, ""}}},
		{schema.RoleUnlink, schema.Enter, false, []candidate{
			{"vfs_unlink", 0, "unlink3_enter", unlink3, ""},
			{"vfs_unlink", 0, "unlink2_enter", unlink2, ""}, // until 5.11
		}},
		{schema.RoleUnlink, schema.Exit, false, []candidate{
			{"vfs_unlink", 0, "unlink3_exit", unlink3, ""},
			{"vfs_unlink", 0, "unlink2_exit", unlink2, ""},
		}},
		{schema.RoleFork, schema.Enter, true, []candidate{
			{"sched_process_fork", schema.TPBTF, "fork_enter", nil, ""},
			{"wake_up_new_task", 0, "process_fork", []string{"task_struct"}, ""},
		}},
		{schema.RoleExec, schema.Enter, false, []candidate{
			{"sched_process_exec", schema.TPBTF, "exec_enter", nil, ""},
			{"security_bprm_committed_creds", 0, "process_exec", []string{"linux_binprm"}, ""},
		}},
		{schema.RoleExit, schema.Enter, false, []candidate{
			{"acct_process", 0, "process_exit", []string{}, ""}, // needs CONFIG_BSD_PROCESS_ACCT and a helper of 5.11
			{"sched_process_exit", schema.TPBTF, "thread_exit", nil, ""},
		}},
	}
}
