// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/dtrec/dtrec/schema"
)

// PathCall is one use of a path by a task, from when the kernel has the string until the result. Ids are
// event ids; times are nanoseconds.
type PathCall struct {
	ID, End   uint64 // its entry and its exit; End 0: the exit is not in the trace
	Operation string // open, exec, stat …, see Operations
	PID, TID  uint32
	Comm      string // of the thread
	Program   string // see Task.Program
	Outer     uint64 // the call in which it was made; 0: none

	Path   string // as given
	Target string // the other path of rename, link and mount
	// Resolved is the path of the dentry that Path led to (after a rename the old one), or of the component
	// that the walk stopped at. What is above the topmost known directory is shown as ….
	Resolved       string
	ResolvedTarget string // where the last component of Target was looked up, shown likewise
	// Start is the dentry that the walk began at: the root directory of the task, its working directory, or
	// the directory that the given descriptor is open on. nil: not known.
	Start     *Object
	StartAddr uint64 // its address, also where no event showed it; 0: not recorded
	OtherRoot bool   // the root directory of the task, or one given to the walk, is not the recorder's
	How       uint32 // LOOKUP_* of the walk of Path, as the kernel saw them, or RENAME_* of a rename; see FlagNames

	Components []Component // of its last walk, in the order looked up
	Class      Class
	Restarts   int  // how often the walk started over
	Whole      bool // no event of it is known to be missing: what is not here did not happen

	Errno  int     // positive; 0: success, if End is not 0
	Dentry *Object // what Path led to, also if the operation then failed; nil: nothing
	Inode  uint64  // address of Dentry's inode when the call returned
	Ino    uint64  // number of that inode; 0: not recorded
	FSType string  // of Dentry, or of the directory that the walk of Path asked last; empty: not known

	At           uint64 // time of its entry, since boot
	Took         uint64 // until its exit; where End is 0, for how long it is known not to have returned, 0: not known
	Filesystem   uint64 // of Took, the time in the filesystem as Components have it
	Wait         uint64 // of Took, the wait for other tasks' lookups as Components have it
	UntilRestart uint64 // of Took, the time until the walk last started over; 0: it did not
	Gap          Gap    // the longest time without an event, in which none was lost
	Allocs       int    // dentries allocated
	Negatives    int    // negative dentries that it made and that were known to be in the cache when it returned
	Unsure       bool   // there may have been more of these: events were not recorded or lost, or a dentry was Unwatched
}

// Clone returns a copy that may be kept: nothing writes to it, though its dentries may still change.
func (c *PathCall) Clone() *PathCall {
	out := *c
	out.Components = slices.Clone(c.Components)
	return &out
}

// Failed reports whether the call returned an error.
func (c *PathCall) Failed() bool { return c.Errno != 0 }

// TookOnce returns what a call adds to a sum of times, at least: Took, or 0 for a call inside another (an open
// made by an exec), whose Took includes it.
func (c *PathCall) TookOnce() uint64 {
	if c.Outer != 0 {
		return 0
	}
	return c.Took
}

// targetWords holds the word that stands before the second path, for each operation on two.
var targetWords = map[string]string{renameOp: " to ", "link": " to ", "mount": " of "}

// Paths returns the path as given, or both paths of an operation on two, in printable form. An empty path is
// "", and in parentheses stands why the trace has none.
func (c *PathCall) Paths() string {
	s := Printable(c.Path)
	switch errno := schema.ErrnoName(c.Errno); {
	case s != "":
	case errno == "EFAULT" || errno == "ENAMETOOLONG": // the kernel could not copy it from the program
		s = "(path not copied)"
	case c.Whole:
		s = `""`
	default:
		s = "(path not recorded)"
	}
	if c.Target != "" && targetWords[c.Operation] != "" { // an execve may walk its path twice, for a security module
		s += targetWords[c.Operation] + Printable(c.Target)
	}
	return s
}

// Gap is the time between two successive events on the thread of a call, those of calls inside it included.
type Gap struct {
	From, To EventRef
	Took     uint64
}

// EventRef is an event, printed as a word and a number.
type EventRef struct {
	ID    uint64
	Role  schema.Role
	Phase schema.Phase // as in the file
}

func (m EventRef) String() string {
	s := m.Role.Label()
	if m.Phase != schema.Whole && m.Role.Paired() {
		s += " " + m.Phase.Label()
	}
	return s + " #" + strconv.FormatUint(m.ID, 10)
}

// resolveFlags and renameFlags are the flags that FlagNames names. The kernel keeps RESOLVE_* among the LOOKUP_* of
// include/linux/namei.h, which were renumbered. One map holds both numberings, as in neither of them
// another flag that is set when an open begins has one of these bits.
var (
	resolveFlags = map[uint32]string{
		1 << 16: "RESOLVE_NO_SYMLINKS", 1 << 17: "RESOLVE_NO_MAGICLINKS", 1 << 18: "RESOLVE_NO_XDEV", 1 << 19: "RESOLVE_BENEATH", 1 << 20: "RESOLVE_IN_ROOT", 1 << 21: lookupCached,
		1 << 24: "RESOLVE_NO_SYMLINKS", 1 << 25: "RESOLVE_NO_MAGICLINKS", 1 << 26: "RESOLVE_NO_XDEV", 1 << 27: "RESOLVE_BENEATH", 1 << 28: "RESOLVE_IN_ROOT", 1 << 9: lookupCached,
	}
	renameFlags = map[uint32]string{1: "RENAME_NOREPLACE", 2: "RENAME_EXCHANGE", 4: "RENAME_WHITEOUT"}
)

const lookupCached = "LOOKUP_CACHED"

// FlagNames names what was asked of an open or a rename besides its path: RESOLVE_* of openat2(2), or
// RENAME_*. LOOKUP_CACHED is RESOLVE_CACHED, or what io_uring tries first: where the cache is not enough,
// such an open fails with EAGAIN, and a worker repeats it.
func (c *PathCall) FlagNames() []string {
	names := map[string]map[uint32]string{"open": resolveFlags, renameOp: renameFlags}[c.Operation]
	var out []string
	for bit := uint32(1); bit != 0; bit <<= 1 {
		if name := names[bit]; name != "" && c.How&bit != 0 {
			out = append(out, name)
		}
	}
	return out
}

// Component is a name that a path call looked up.
type Component struct {
	Name     string
	ID       uint64  // the event that first asked for it
	At       uint64  // time of that event, nanoseconds since boot; for a lookup that is one event, of its return
	Parent   uint64  // address of the directory it was looked up in; 0: not known
	Found    Found   // how it was answered
	Dentry   *Object // what it led to; nil: nothing
	Negative bool    // Dentry had no inode when the walk met it
	// OffPath: the name is not in the path as given, but in the target of a symbolic link, or the filesystem
	// looked it up.
	OffPath  bool
	OfTarget bool // of Target, not of Path
	// Mount: the walk went on in what is mounted on the dentry.
	Mount bool
	// Link: the walk went on where a symbolic link led. Follow is the time from the answer for the link
	// until the next name was looked up, or, where a lookup is one event, until that was answered. It
	// includes reading the link's body, and permission checks.
	Link   bool
	Follow uint64
	// Filesystem is the time from the alloc of its dentry until the insert; 0: not known, or the filesystem
	// was not asked. Create is the time from the insert, or from when a negative dentry was found, until
	// the dentry got an inode.
	Filesystem, Create uint64
	// Wait is the time from the alloc of a dentry for it until the dentry of another task, whose lookup was in
	// progress (d_alloc_parallel), was taken instead; 0: none was.
	Wait uint64
	// Path is the path for which the filesystem was asked, see Model.Path; empty if it was not asked.
	Path string

	offset      uint64 // in the path; if OffPath, the address of the name
	mountable   bool   // something was mounted on the dentry
	lookupRoles Roles
	answeredAt  uint64 // time of the answer
	allocatedAt uint64 // time of the alloc; 0: none
	insertedAt  uint64
}

// Found says how a component was answered.
type Found uint8

const (
	FoundNothing Found = iota // not in the cache, and no dentry was allocated for it
	FoundRCU                  // in the cache, by rcu-walk: __d_lookup_rcu
	FoundRef                  // in the cache, by ref-walk: __d_lookup, d_lookup
	FoundMiss                 // a dentry was allocated for it, and the filesystem asked
	FoundLocked               // in the cache, by an operation after its walk, with the directory locked: d_lookup
)

func (f Found) String() string { return [...]string{"nothing", "rcu", "ref", "miss", "locked"}[f] }

// Class says what was needed to answer a path call.
type Class uint8

const (
	ClassUnknown Class = iota // the events that tell are not recorded, or were lost
	ClassRCU                  // the cache answered every component in rcu-walk
	ClassRef                  // the cache answered, but in part by ref-walk, or an operation with the directory locked
	ClassMiss                 // a filesystem was asked for a component
)

// Classes lists the names of the classes, as filters take them.
var Classes = []string{"unknown", "rcu", "ref", "miss"}

func (c Class) String() string { return Classes[c] }

// classRoles are the roles whose events tell the class of a call.
var classRoles = lookupRoles | RolesOf(schema.RoleAlloc)

// operation returns the operation of a path call that begins with an event of the role. An open that the
// kernel marks as one to execute counts as an open if no execve is recorded around it: one execve opens its
// file, the interpreters that the file names, and theirs.
func operation(r schema.Role) string {
	info, _ := r.Info()
	return cmp.Or(info.Op, walkOp)
}

// walkOp is a walk in an operation that has no role. renameOp is the operation of renameat2.
const (
	walkOp   = "walk"
	renameOp = "rename"
)

// Operations lists the operations that a path call can have.
func Operations() []string {
	ops := []string{walkOp}
	for _, info := range schema.Catalogue() {
		if info.Op != "" && !slices.Contains(ops, info.Op) {
			ops = append(ops, info.Op)
		}
	}
	return ops
}
