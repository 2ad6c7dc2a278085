// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"slices"
	"strconv"
)

// The roles; each has a row in the catalogue. Other files that list the numbers are generated from these:
// DTREC_UPDATE=1 go test -run StandOnce ./schema.
const (
	RoleOpen        Role = 1
	RoleLookup      Role = 2
	RoleLookupChain Role = 3
	RoleLookupRCU   Role = 4
	RoleAlloc       Role = 5
	RoleInsert      Role = 6
	RoleInstantiate Role = 7
	RoleDelete      Role = 8
	RoleDrop        Role = 9
	RoleKill        Role = 10
	RoleFree        Role = 11
	RoleMove        Role = 12
	RoleEvict       Role = 13
	RoleUnlink      Role = 14
	RoleFork        Role = 15
	RoleExec        Role = 16
	RoleExit        Role = 17
	RoleHash        Role = 18
	RoleCall        Role = 19
	RoleWalk        Role = 20
	RoleWalkParent  Role = 21
	RoleStat        Role = 22
	RoleAccess      Role = 23
	RoleReadlink    Role = 24
	RoleChdir       Role = 25
	RoleExecve      Role = 26
	RoleMkdir       Role = 27
	RoleMknod       Role = 28
	RoleUnlinkat    Role = 29
	RoleRmdir       Role = 30
	RoleRename      Role = 31
	RoleLink        Role = 32
	RoleSymlink     Role = 33
	RoleMount       Role = 34
	RoleChmod       Role = 35
	RoleChown       Role = 36
	RoleUtimes      Role = 37
	RoleStatfs      Role = 38
	RoleTruncate    Role = 39
	RoleParallel    Role = 40
	RoleExecveat    Role = 41
	RoleGetxattr    Role = 42
	RoleSetxattr    Role = 43
	RoleListxattr   Role = 44
	RoleRemovexattr Role = 45
	RoleFchmodat    Role = 46

	// RoleEnd is one more than the largest role of the catalogue.
	RoleEnd = RoleFchmodat + 1
)

// Short names for the generated enum values.
const (
	PhaseUnspecified = Phase_PHASE_UNSPECIFIED
	Enter            = Phase_PHASE_ENTER
	Exit             = Phase_PHASE_EXIT
	Whole            = Phase_PHASE_CALL

	Fentry         = Attach_ATTACH_FENTRY
	Fexit          = Attach_ATTACH_FEXIT
	Kprobe         = Attach_ATTACH_KPROBE
	Kretprobe      = Attach_ATTACH_KRETPROBE
	TPBTF          = Attach_ATTACH_TP_BTF
	KprobeMulti    = Attach_ATTACH_KPROBE_MULTI
	KretprobeMulti = Attach_ATTACH_KRETPROBE_MULTI

	LossRingBuffer     = LossCause_LOSS_CAUSE_RING_BUFFER
	LossMissed         = LossCause_LOSS_CAUSE_MISSED
	LossWatchOverflow  = LossCause_LOSS_CAUSE_WATCH_OVERFLOW
	LossUnreadableName = LossCause_LOSS_CAUSE_UNREADABLE_NAME
	LossLimit          = LossCause_LOSS_CAUSE_LIMIT
	LossUnwatched      = LossCause_LOSS_CAUSE_UNWATCHED
	LossRebuilt        = LossCause_LOSS_CAUSE_REBUILT
	LossSwitchedOff    = LossCause_LOSS_CAUSE_SWITCHED_OFF

	FactParentIsRoot   = Fact_FACT_PARENT_IS_ROOT
	FactParentOpHash   = Fact_FACT_PARENT_OP_HASH
	FactMountpoint     = Fact_FACT_MOUNTPOINT
	FactUnhashed       = Fact_FACT_UNHASHED
	FactInodeUnknown   = Fact_FACT_INODE_UNKNOWN
	FactNameUnreadable = Fact_FACT_NAME_UNREADABLE
	FactUnwatched      = Fact_FACT_UNWATCHED
	FactExchange       = Fact_FACT_EXCHANGE
	FactOtherRoot      = Fact_FACT_OTHER_ROOT
)

// RoleInfo is one row of the catalogue.
type RoleInfo struct {
	Role Role
	Name string // as printed, and as filters take it, e.g. "lookup_rcu"
	Doc  string // what an event of it says
	// The columns that a live probe records in each phase; nil: the phase is not recorded.
	Enter, Exit *Shape
	Traits      Trait
	// Op is the operation of a path call whose entry and exit have the role, e.g. "stat"; empty: none. A
	// walk has none: it is the part of an operation that finds what a path leads to.
	Op string
}

// operation returns the row of a system call on a path, or on a name in a directory. The paths are those of the
// walks in it.
func operation(r Role, name, op string, traits Trait, doc string) RoleInfo {
	return RoleInfo{r, name, doc, shape(), shape(ColumnRet, ColumnTook), traits, op}
}

// Trait is a property of every event of a role. What a role does to the dentry of its events, and how they
// are printed, follows from these.
type Trait uint16

const (
	TraitBegins         Trait = 1 << iota // its exit returns a new object
	TraitEnds                             // the object's life is over
	TraitFrees                            // the object's memory is given back
	TraitHolds                            // somebody has a reference to the object
	TraitUnhashes                         // the object leaves the hash table
	TraitLooksUp                          // a name is looked up in a directory, and the object is the result
	TraitWalks                            // the key is a path, which has no hash
	TraitReturnsAddress                   // RET is an address or an ERR_PTR; without this and the next, an int
	TraitReturnsStatus                    // RET is a wait status
	TraitLeaf                             // nothing recorded happens within it except reclaim: its entry and exit are one event, of phase Whole
	TraitExecutes                         // the first open in it is of the file to run
	TraitMayLackPath                      // it may be given a descriptor, and then walks no path
	TraitNames                            // it walks to a parent, and then itself looks up there the name that it makes, removes or moves
)

// Is reports whether the role has a trait; a role that this version does not know has none.
func (r Role) Is(t Trait) bool { return uint32(r) < uint32(len(traits)) && traits[r]&t != 0 }

// traits holds the traits of each role.
var traits = func() (of [RoleEnd]Trait) {
	for _, info := range catalogue {
		of[info.Role] = info.Traits
	}
	return of
}()

// Shape is the columns of one role and phase.
type Shape struct {
	Columns Columns
	// Later: recorders before 0.2 did not record the phase, so the role is complete without it.
	Later bool
}

func shape(columns ...Column) *Shape {
	var s Shape
	for _, c := range columns {
		s.Columns = s.Columns.With(c)
	}
	return &s
}

// Catalogue returns every role that a trace can hold, in the order of Role.
func Catalogue() []RoleInfo {
	return slices.Clone(catalogue)
}

// catalogue is what Catalogue returns; nothing writes to it.
var catalogue = []RoleInfo{
	{RoleOpen, "open", "a path is opened: do_filp_open",
		shape(ColumnKey, ColumnNameAddr, ColumnOpen, ColumnStart, ColumnHow), shape(ColumnDentry, ColumnRet, ColumnFilesystem, ColumnTook, ColumnIno), TraitHolds | TraitWalks | TraitReturnsAddress, "open"},
	{RoleLookup, "lookup", "the cache is asked under rename_lock: d_lookup",
		shape(ColumnKey, ColumnNameAddr, ColumnFilesystem), shape(ColumnDentry), TraitLooksUp | TraitHolds, ""},
	{RoleLookupChain, "lookup_chain", "one hash chain is walked with d_lock: __d_lookup",
		shape(ColumnKey, ColumnNameAddr, ColumnFilesystem), shape(ColumnDentry), TraitLooksUp | TraitHolds | TraitLeaf, ""},
	{RoleLookupRCU, "lookup_rcu", "one hash chain is walked in rcu-walk: __d_lookup_rcu",
		shape(ColumnKey, ColumnNameAddr, ColumnFilesystem), shape(ColumnDentry), TraitLooksUp | TraitLeaf, ""},
	{RoleAlloc, "alloc", "a dentry is allocated and its name copied: __d_alloc",
		shape(ColumnKey, ColumnNameAddr), shape(ColumnDentry, ColumnFilesystem), TraitBegins | TraitLeaf, ""},
	{RoleInsert, "insert", "a dentry enters its hash bucket: __d_rehash",
		nil, shape(ColumnDentry, ColumnBucket), TraitHolds, ""},
	{RoleInstantiate, "instantiate", "a negative dentry gets its inode: __d_instantiate",
		nil, shape(ColumnDentry), TraitHolds, ""},
	{RoleDelete, "delete", "the file behind a dentry is deleted: d_delete",
		shape(ColumnDentry), &Shape{shape(ColumnDentry, ColumnTook).Columns, true}, TraitHolds, ""},
	{RoleDrop, "drop", "a dentry leaves the hash table: __d_drop",
		shape(ColumnDentry), nil, TraitUnhashes, ""},
	{RoleKill, "kill", "the life of a dentry ends: __dentry_kill; where the symbol is dentry_kill, from Linux 7.2, an attempt",
		shape(ColumnDentry), nil, TraitEnds, ""},
	{RoleFree, "free", "the memory of a dentry is given back: dentry_free",
		shape(ColumnDentry), nil, TraitFrees, ""},
	{RoleMove, "move", "a dentry gets another name or parent: __d_move",
		shape(ColumnDentry, ColumnTarget), shape(ColumnDentry, ColumnTook), TraitHolds, ""},
	{RoleEvict, "evict", "drop_caches empties the slabs: drop_slab",
		shape(), shape(ColumnTook), 0, ""},
	{RoleUnlink, "unlink", "a name is removed from its directory: vfs_unlink",
		shape(ColumnDentry), shape(ColumnRet, ColumnTook), TraitHolds, ""},
	{RoleFork, "fork", "a traced process makes another: sched_process_fork",
		shape(ColumnChild), nil, 0, ""},
	{RoleExec, "exec", "a traced process runs a program: sched_process_exec",
		shape(ColumnKey, ColumnCgroup), nil, TraitWalks, ""},
	{RoleExit, "exit", "a traced process ends: sched_process_exit",
		shape(ColumnRet, ColumnCgroup), nil, TraitReturnsStatus, ""},
	{RoleHash, "hash", "a name is hashed: full_name_hash; imported traces only", nil, nil, 0, ""},
	{RoleCall, "call", "a function without a role of its own is called; imported traces only", nil, nil, 0, ""},
	{RoleWalk, "walk", "a path is walked to its end, and nothing opened: filename_lookup",
		shape(ColumnKey, ColumnNameAddr, ColumnStart, ColumnHow), shape(ColumnDentry, ColumnRet, ColumnFilesystem, ColumnTook, ColumnIno), TraitHolds | TraitWalks, ""},
	{RoleWalkParent, "walk_parent", "a path is walked to its last component but one: filename_parentat",
		shape(ColumnKey, ColumnNameAddr, ColumnStart, ColumnHow), shape(ColumnDentry, ColumnRet, ColumnFilesystem, ColumnTook, ColumnIno), TraitHolds | TraitWalks, ""},
	operation(RoleStat, "stat", "stat", 0, "a file is asked for its attributes by path: vfs_statx"),
	operation(RoleAccess, "access", "access", 0, "may the caller use a file: do_faccessat"),
	operation(RoleReadlink, "readlink", "readlink", 0, "a symbolic link is read: do_readlinkat"),
	operation(RoleChdir, "chdir", "chdir", 0, "the working directory changes: the system call chdir"),
	operation(RoleExecve, "execve", "exec", TraitExecutes, "a program is to be run: the system call execve; that it was, the role exec says"),
	operation(RoleMkdir, "mkdir", "mkdir", TraitNames, "a directory is to be made: do_mkdirat"),
	operation(RoleMknod, "mknod", "mknod", TraitNames, "a special file is to be made: do_mknodat"),
	operation(RoleUnlinkat, "unlinkat", "unlink", TraitNames, "a name is to be removed: do_unlinkat; in it vfs_unlink, the role unlink"),
	operation(RoleRmdir, "rmdir", "rmdir", TraitNames, "a directory is to be removed: do_rmdir"),
	{RoleRename, "rename", "a name is to become another: do_renameat2; in it __d_move, the role move",
		shape(ColumnHow), shape(ColumnRet, ColumnTook), TraitNames, "rename"},
	operation(RoleLink, "link", "link", TraitNames, "a file is to get another name: do_linkat"),
	operation(RoleSymlink, "symlink", "symlink", TraitNames, "a symbolic link is to be made: do_symlinkat"),
	operation(RoleMount, "mount", "mount", 0, "a filesystem is to be mounted, bound or moved: the system call mount; in older recordings do_mount"),
	operation(RoleChmod, "chmod", "chmod", 0, "a file is to get other permissions: the system call chmod; in older recordings do_fchmodat"),
	operation(RoleChown, "chown", "chown", 0, "a file is to get another owner: do_fchownat"),
	operation(RoleUtimes, "utimes", "utimes", TraitMayLackPath, "a file is to get other times: do_utimes"),
	operation(RoleStatfs, "statfs", "statfs", 0, "a filesystem is asked for its attributes by path: user_statfs"),
	operation(RoleTruncate, "truncate", "truncate", 0, "a file is to get another length by path: the system call truncate"),
	{RoleParallel, "parallel", "instead of the dentry allocated for a name that of another task is taken, in the table by then or its lookup waited for: d_alloc_parallel",
		nil, shape(ColumnDentry), TraitHolds, ""},
	operation(RoleExecveat, "execveat", "exec", TraitExecutes, "a program is to be run: the system call execveat; that it was, the role exec says"),
	operation(RoleGetxattr, "getxattr", "getxattr", TraitMayLackPath, "an extended attribute is read by path: path_getxattr"),
	operation(RoleSetxattr, "setxattr", "setxattr", TraitMayLackPath, "an extended attribute is written by path: path_setxattr"),
	operation(RoleListxattr, "listxattr", "listxattr", TraitMayLackPath, "the extended attributes are listed by path: path_listxattr"),
	operation(RoleRemovexattr, "removexattr", "removexattr", TraitMayLackPath, "an extended attribute is removed by path: path_removexattr"),
	operation(RoleFchmodat, "fchmodat", "chmod", 0, "a file is to get other permissions: the system call fchmodat"),
}

// LacksPath reports whether an operation without a walk was given a descriptor and no path (fgetxattr, for
// example, has called the function of getxattr since Linux 6.13). That is so if it succeeded (errno 0), or
// failed with an errno that only an open file can give. A path that cannot be copied from the caller, and
// wrong arguments, are refused before a walk.
func (r Role) LacksPath(errno int) bool {
	switch ErrnoName(errno) {
	case "EFAULT", "ENOENT", "ENAMETOOLONG", "EINVAL", "ENOMEM", "E2BIG", "ERANGE":
		return false
	}
	return r.Is(TraitMayLackPath)
}

// Info returns the catalogue's row of r; ok is false for a role that this version does not know.
func (r Role) Info() (info RoleInfo, ok bool) {
	if r < RoleOpen || int(r) > len(catalogue) {
		return RoleInfo{}, false
	}
	return catalogue[r-1], true
}

// Shape returns what an event of r has in a phase; nil: nothing. A live probe of a role with TraitLeaf
// records both phases at once, in the phase Whole.
func (r Role) Shape(p Phase) *Shape {
	switch info, _ := r.Info(); p {
	case Enter:
		return info.Enter
	case Exit:
		return info.Exit
	}
	return nil
}

// RoleNamed returns the role with a name; ok is false if there is none.
func RoleNamed(name string) (r Role, ok bool) {
	i := slices.IndexFunc(catalogue, func(info RoleInfo) bool { return info.Name == name })
	return Role(i + 1), i >= 0
}

// Paired reports whether a call of the role has two moments, its entry and its exit.
func (r Role) Paired() bool {
	info, _ := r.Info()
	return info.Enter != nil && info.Exit != nil
}

// Label returns the role's name as printed, "role(99)" for one that this version does not know.
func (r Role) Label() string {
	if info, ok := r.Info(); ok {
		return info.Name
	}
	return "role(" + strconv.Itoa(int(r)) + ")"
}
