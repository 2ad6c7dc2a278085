// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

// Role is what an event means, the same on every kernel. Values are those of
// schema.Role and of record.h.
type Role uint8

// The roles a probe can have.
const (
	RoleOpen Role = iota + 1
	RoleLookup
	RoleLookupChain
	RoleLookupRCU
	RoleAlloc
	RoleInsert
	RoleInstantiate
	RoleDelete
	RoleDrop
	RoleKill
	RoleFree
	RoleMove
	RoleEvict
	RoleUnlink
	RoleFork
	RoleExec
	RoleExit
)

// Phase is when a probe fires. Values are those of schema.Phase.
type Phase uint8

// The two phases of a call.
const (
	Enter Phase = iota + 1
	Exit
)

// Attach is how a probe is tied to its symbol. Values are those of schema.Attach.
type Attach uint8

// The attach types in use.
const (
	Fentry Attach = 1
	Fexit  Attach = 2
	TPBTF  Attach = 5
)

// probe is one role and phase, and where it can be observed.
type probe struct {
	role       Role
	phase      Phase
	required   bool // a recording without it proves too little to be worth starting
	candidates []candidate
}

// candidate is one way to observe a role and phase.
type candidate struct {
	symbol  string // kernel function, or tracepoint
	attach  Attach
	program string // in dcache.bpf.c

	// What the program takes for granted, compared with the kernel's BTF: as many
	// parameters, and pointers to these structs; "" is not looked at. Tracepoints
	// have none: their arguments grow at the end only.
	params  []string
	returns string
}

// plan lists every probe with its candidates in the order tried. Freeing comes
// first: what is attached there decides when kill forgets a dentry.
func plan() []probe {
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
	return []probe{
		{RoleFree, Enter, false, []candidate{{"dentry_free", Fentry, "free_enter", dentryParam, ""}}},
		{RoleOpen, Enter, true, []candidate{
			{"do_filp_open", Fentry, "open_enter", openParams, "file"},
			{"do_file_open", Fentry, "open_enter", openParams, "file"}, // 7.0
		}},
		{RoleOpen, Exit, true, []candidate{
			{"do_filp_open", Fexit, "open_exit", openParams, "file"},
			{"do_file_open", Fexit, "open_exit", openParams, "file"},
		}},
		{RoleLookup, Enter, true, []candidate{{"d_lookup", Fentry, "lookup_enter", lookupParams, "dentry"}}},
		{RoleLookup, Exit, true, []candidate{{"d_lookup", Fexit, "lookup_exit", lookupParams, "dentry"}}},
		{RoleLookupChain, Enter, false, []candidate{{"__d_lookup", Fentry, "chain_enter", lookupParams, "dentry"}}},
		{RoleLookupChain, Exit, false, []candidate{{"__d_lookup", Fexit, "chain_exit", lookupParams, "dentry"}}},
		{RoleLookupRCU, Enter, true, []candidate{{"__d_lookup_rcu", Fentry, "rcu_enter", rcuParams, "dentry"}}},
		{RoleLookupRCU, Exit, true, []candidate{{"__d_lookup_rcu", Fexit, "rcu_exit", rcuParams, "dentry"}}},
		{RoleAlloc, Enter, true, []candidate{{"__d_alloc", Fentry, "alloc_enter", allocParams, "dentry"}}},
		{RoleAlloc, Exit, true, []candidate{{"__d_alloc", Fexit, "alloc_exit", allocParams, "dentry"}}},
		{RoleInsert, Exit, true, []candidate{{"__d_rehash", Fexit, "insert_exit", dentryParam, ""}}},
		{RoleInstantiate, Exit, false, []candidate{
			{"__d_instantiate", Fexit, "instantiate_exit", []string{"dentry", "inode"}, ""}}},
		{RoleDelete, Enter, false, []candidate{{"d_delete", Fentry, "delete_enter", dentryParam, ""}}},
		{RoleDrop, Enter, false, []candidate{{"__d_drop", Fentry, "drop_enter", dentryParam, ""}}},
		{RoleKill, Enter, true, []candidate{
			{"__dentry_kill", Fentry, "kill_enter", dentryParam, ""},
			{"dentry_kill", Fentry, "kill_enter", dentryParam, ""}, // 7.2
		}},
		{RoleMove, Enter, false, []candidate{{"__d_move", Fentry, "move_enter", moveParams, ""}}},
		{RoleMove, Exit, false, []candidate{{"__d_move", Fexit, "move_exit", moveParams, ""}}},
		{RoleEvict, Enter, false, []candidate{{"drop_slab", Fentry, "evict_enter", []string{}, ""}}},
		{RoleEvict, Exit, false, []candidate{{"drop_slab", Fexit, "evict_exit", []string{}, ""}}},
		{RoleUnlink, Enter, false, []candidate{
			{"vfs_unlink", Fentry, "unlink3_enter", unlink3, ""},
			{"vfs_unlink", Fentry, "unlink2_enter", unlink2, ""}, // until 5.11
		}},
		{RoleUnlink, Exit, false, []candidate{
			{"vfs_unlink", Fexit, "unlink3_exit", unlink3, ""},
			{"vfs_unlink", Fexit, "unlink2_exit", unlink2, ""},
		}},
		{RoleFork, Enter, true, []candidate{{"sched_process_fork", TPBTF, "fork_enter", nil, ""}}},
		{RoleExec, Enter, false, []candidate{{"sched_process_exec", TPBTF, "exec_enter", nil, ""}}},
		{RoleExit, Enter, false, []candidate{{"sched_process_exit", TPBTF, "exit_enter", nil, ""}}},
	}
}
