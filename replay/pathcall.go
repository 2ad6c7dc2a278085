// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/dtrec/dtrec/schema"
)

// PathCall is one use of a path by a task, from the moment the kernel has the string until
// the answer. Ids are event ids; times are nanoseconds.
type PathCall struct {
	ID, End   uint64 // its entry and its exit; End 0: the exit is not in the trace
	Operation string // what it was for: open, exec, stat …
	PID, TID  uint32
	Comm      string // of the thread
	Program   string // see Task.Program
	Outer     uint64 // the call in which it was made, 0: none

	Path   string // as given
	Target string // the other path of an operation on two: rename, link, mount
	// Resolved is the path of the dentry that Path led to, of one that was renamed the old one, or of
	// the component it stopped at; as far as the run tells: what is above the topmost directory known is …
	Resolved       string
	ResolvedTarget string // where the last component of Target was asked for, told so too
	// Start is where the walk began, nil where that is not known: the root directory of the
	// task, its working directory, or what the descriptor it was given is open on.
	Start     *Object
	StartAddr uint64 // its address, also where no event showed it; 0: not recorded
	OtherRoot bool   // the root directory of the task, or that given to the walk, is not the recorder's
	How       uint32 // LOOKUP_* of the walk of Path, as the kernel saw them; see Limits. Of a rename: RENAME_*

	Components []Component // of its last walk, in the order looked up
	Class      Class
	Restarts   int  // how often the walk began anew
	Whole      bool // nothing of it is known to be missing, so that what is not here did not happen

	Errno  int     // positive; 0: it succeeded, where End is not 0
	Dentry *Object // what Path came to; of an operation that failed, what it led to; nil: nothing
	Inode  uint64  // of Dentry, when the call returned
	Ino    uint64  // the number of that; 0: not recorded
	FSType string  // of Dentry, or of the directory asked last; empty: not known

	At         uint64 // its entry, since boot
	Took       uint64 // 0 where End is 0
	Filesystem uint64 // of Took, what Components say of the filesystem
	Wait       uint64 // of Took, what they say of other tasks' lookups
	Again      uint64 // of Took, until the walk began anew the last time, 0: it did not
	Gap        Gap    // the longest time of it without an event
	Allocs     int    // dentries allocated
	Negatives  int    // of the dentries without inode that it made, those left in the cache when it returned
}

// Clone returns a copy that may be kept: nothing writes to it, but for what its dentries become.
func (c *PathCall) Clone() *PathCall {
	out := *c
	out.Components = slices.Clone(c.Components)
	return &out
}

// Failed reports whether the call returned an error.
func (c *PathCall) Failed() bool { return c.Errno != 0 }

// TookOnce is what a call adds to a sum of times: Took, and 0 of a call within another (an open that an exec makes), which has it.
func (c *PathCall) TookOnce() uint64 {
	if c.Outer != 0 {
		return 0
	}
	return c.Took
}

// before the other path of an operation that has two stands what that is to it.
var before = map[string]string{rename: " to ", "link": " to ", "mount": " of "}

// Paths is the path as it was given, or the two of an operation on two, as printed.
func (c *PathCall) Paths() string {
	s := Printable(c.Path)
	if c.Target != "" && before[c.Operation] != "" { // an execve may walk its path once more, for a security module
		s += before[c.Operation] + Printable(c.Target)
	}
	return s
}

// Gap is the time between two events of a call that follow each other on its thread, those of a call within it among them.
type Gap struct {
	From, To Mark
	Took     uint64
}

// Mark is an event, as a word and a number.
type Mark struct {
	ID    uint64
	Role  schema.Role
	Phase schema.Phase // as in the file
}

func (m Mark) String() string {
	s := m.Role.Label()
	if m.Phase != schema.Whole && m.Role.Paired() {
		s += " " + m.Phase.Label()
	}
	return s + " #" + strconv.FormatUint(m.ID, 10)
}

// resolves and renames are what Limits names. The kernel keeps RESOLVE_* among the LOOKUP_* of
// include/linux/namei.h, which were renumbered: by either numbers no other bit of these is set when an open begins.
var (
	resolves = map[uint32]string{
		1 << 16: "RESOLVE_NO_SYMLINKS", 1 << 17: "RESOLVE_NO_MAGICLINKS", 1 << 18: "RESOLVE_NO_XDEV", 1 << 19: "RESOLVE_BENEATH", 1 << 20: "RESOLVE_IN_ROOT", 1 << 21: lookupCached,
		1 << 24: "RESOLVE_NO_SYMLINKS", 1 << 25: "RESOLVE_NO_MAGICLINKS", 1 << 26: "RESOLVE_NO_XDEV", 1 << 27: "RESOLVE_BENEATH", 1 << 28: "RESOLVE_IN_ROOT", 1 << 9: lookupCached,
	}
	renames = map[uint32]string{1: "RENAME_NOREPLACE", 2: "RENAME_EXCHANGE", 4: "RENAME_WHITEOUT"}
)

const lookupCached = "LOOKUP_CACHED"

// Limits names what was asked of an open or a rename beside its path: RESOLVE_* of openat2, or
// RENAME_*. LOOKUP_CACHED is RESOLVE_CACHED, or what io_uring tries first: where the cache does not
// do, such an open fails with EAGAIN, and a worker does it.
func (c *PathCall) Limits() []string {
	names := map[string]map[uint32]string{"open": resolves, rename: renames}[c.Operation]
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
	ID       uint64  // the event that asked for it first
	At       uint64  // its time, nanoseconds since boot; of a lookup that is one event, when that returned
	Parent   uint64  // address of the directory it was asked for in; 0: not known
	Found    Found   // how it was answered
	Dentry   *Object // what it came to; nil: nothing
	Negative bool    // that had no inode, when the walk met it
	// Beside: not of the path as given, but of a symbolic link's target, or looked up by the
	// filesystem.
	Beside   bool
	OfTarget bool // of Target, not of Path
	// Mount: the walk went on in what is mounted on the dentry.
	Mount bool
	// Link: the walk went on elsewhere, as a symbolic link led it. Follow is the time from the answer that
	// it is there until the next name was looked up, or until the answer to that where a lookup is one event:
	// the body of the link was read in it, and permissions.
	Link   bool
	Follow uint64
	// Filesystem is the time from the alloc of its dentry until that was inserted; 0: not known,
	// or the filesystem was not asked. Create is the time from then, or of one found without inode from
	// that, until it got one.
	Filesystem, Create uint64
	// Wait is the time from the alloc of a dentry for it until that of another task was taken in its
	// place, whose lookup was waited for; 0: none was.
	Wait uint64
	// Path is where the filesystem was asked for it, see Model.Path; empty where it was not.
	Path string

	offset    uint64 // in the path; of those beside it the address of the name
	mountable bool   // something was mounted on the dentry
	looked    Roles
	found     uint64 // the time of the answer
	allocated uint64 // the time of it, 0: it was not
	inserted  uint64
}

// Found says how a component was answered.
type Found uint8

const (
	FoundNothing Found = iota // the cache had nothing, and no dentry was allocated for it
	FoundRCU                  // a dentry of the cache, by an rcu-walk: __d_lookup_rcu
	FoundRef                  // a dentry of the cache, by a ref-walk: __d_lookup, d_lookup
	FoundMiss                 // a dentry was allocated for it, and the filesystem asked
	FoundLocked               // a dentry of the cache, by an operation when its walk had ended, with the directory locked: d_lookup
)

func (f Found) String() string { return [...]string{"nothing", "rcu", "ref", "miss", "locked"}[f] }

// Class says what a path call had to do for its answer.
type Class uint8

const (
	ClassUnknown Class = iota // events that would tell are not recorded, or lost
	ClassRCU                  // every component was answered by the cache in rcu-walk
	ClassRef                  // the cache answered, not all of it in rcu-walk: in ref-walk, or an operation that had locked the directory
	ClassMiss                 // a filesystem was asked for a component
)

// Classes are the classes by name, as filters take them.
var Classes = []string{"unknown", "rcu", "ref", "miss"}

func (c Class) String() string { return Classes[c] }

// classified are the roles whose events tell the class of a call.
var classified = asks | RolesOf(schema.RoleAlloc)

// operation returns what the path call is for that begins with an event of a role. An open of
// which the kernel says that it is to execute is an open, where no execve is recorded around it:
// one execve opens its file, the interpreters that this names, and theirs.
func operation(r schema.Role) string {
	info, _ := r.Info()
	return cmp.Or(info.Op, otherWalk)
}

// otherWalk is a walk in an operation that has no role. rename is the name of renameat2.
const (
	otherWalk = "walk"
	rename    = "rename"
)

// Operations lists the operations that a path call can be for.
func Operations() []string {
	ops := []string{otherWalk}
	for _, info := range schema.Catalogue() {
		if info.Op != "" && !slices.Contains(ops, info.Op) {
			ops = append(ops, info.Op)
		}
	}
	return ops
}
