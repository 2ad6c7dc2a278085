// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// operationOf maps the role that begins a path call to the call's operation. A walk within another call is
// not a call of its own.
var operationOf = map[string]string{"open": "open", "stat": "stat", "access": "access", "readlink": "readlink", "chdir": "chdir", "execve": "exec", "mkdir": "mkdir", "mknod": "mknod",
	"unlinkat": "unlink", "rmdir": "rmdir", "rename": "rename", "link": "link", "symlink": "symlink", "mount": "mount", "chmod": "chmod", "fchmodat": "chmod", "chown": "chown", "utimes": "utimes", "statfs": "statfs", "truncate": "truncate", "getxattr": "getxattr", "setxattr": "setxattr",
	"listxattr": "listxattr", "removexattr": "removexattr", "execveat": "exec", "walk": "walk", "walk_parent": "walk"}

// own is the result of an independent count of the events.
type own struct {
	calls, failed, took, rcu, ref, miss, allocs uint64
	operations, errnos, programs                map[string]uint64
	slowest                                     []uint64 // ids of the slowest calls, the slowest first
	made, left                                  uint64
}

type ownCall struct {
	role, operation, program string
	id, at, took             uint64
	outer                    bool // it is not nested in another call
	executes                 bool // it opens a file to execute it
	own                      bool // it is the open of an exec's own file, which counts as part of the exec
	ref, miss                bool
	negative                 map[uint64]bool // dentries that it inserted without inode
}

// counting is a count in progress.
type counting struct {
	own
	stacks  map[uint32][]*ownCall // by thread, the innermost call last
	opened  map[uint32]bool       // by thread: the file to execute has been opened
	all     []*ownCall
	without map[uint64]bool // addresses of negative dentries in the cache
}

// count counts from the raw records, without package replay.
func count(t *testing.T, file string) *own {
	t.Helper()
	r := tracetest.Open(t, file)
	n := &counting{own: own{operations: make(map[string]uint64), errnos: make(map[string]uint64), programs: make(map[string]uint64)},
		stacks: make(map[uint32][]*ownCall), opened: make(map[uint32]bool), without: make(map[uint64]bool)}
	for {
		record, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		e, ok := record.(*schema.Event)
		switch {
		case !ok:
		case operationOf[e.Role.Label()] == "":
			n.inside(e, n.in(e))
		case e.Phase == schema.Exit:
			n.end(e, n.in(e))
		default:
			n.begin(e, n.in(e))
		}
	}
	n.sum()
	return &n.own
}

// in returns the innermost call of the event's thread.
func (n *counting) in(e *schema.Event) *ownCall {
	if stack := n.stacks[e.TID]; len(stack) > 0 {
		return stack[len(stack)-1]
	}
	return nil
}

func (n *counting) begin(e *schema.Event, in *ownCall) {
	role := e.Role.Label()
	if operationOf[role] == "walk" && in != nil {
		return
	}
	c := &ownCall{role: role, operation: operationOf[role], program: e.Comm, id: e.ID, at: e.Time, outer: in == nil, negative: make(map[uint64]bool)}
	if c.executes = e.Execute(); c.executes && in != nil && in.role == "execve" {
		c.own = !n.opened[e.TID] // a later open is that of the interpreter
	}
	n.stacks[e.TID], n.all = append(n.stacks[e.TID], c), append(n.all, c)
}

func (n *counting) end(e *schema.Event, c *ownCall) {
	if c == nil || c.role != e.Role.Label() {
		return
	}
	stack := n.stacks[e.TID]
	n.stacks[e.TID] = stack[:len(stack)-1]
	n.opened[e.TID] = n.opened[e.TID] || c.executes && e.Errno() == 0
	if c.own { // counts as part of the exec
		exec := stack[len(stack)-2]
		exec.ref, exec.miss = exec.ref || c.ref, exec.miss || c.miss
		return
	}
	if c.took = e.Time - c.at; c.outer {
		n.took += c.took
	}
	if e.Errno() != 0 {
		n.failed++
		n.errnos[schema.ErrnoName(e.Errno())]++
	}
}

// inside handles an event that neither begins nor ends a call.
func (n *counting) inside(e *schema.Event, in *ownCall) {
	switch role, exit := e.Role.Label(), e.Phase == schema.Exit; {
	case role == "alloc" && exit && in != nil:
		in.miss = in.miss || e.Name != "/" // / is the name of the dentry of a file without a name
		n.allocs++
	case role == "exec":
		n.opened[e.TID] = false
	case (role == "lookup" || role == "lookup_chain") && in != nil:
		in.ref = true
	case role == "insert" && exit && e.Inode == 0:
		n.without[e.Dentry] = true
		n.made++
		if in != nil {
			in.negative[e.Dentry] = true
		}
	case role == "instantiate" && exit && n.without[e.Dentry]:
		delete(n.without, e.Dentry)
		if in != nil && in.negative[e.Dentry] {
			n.made-- // the call made a file of it
		}
	case role == "delete" && exit && e.Inode == 0 && e.Facts&schema.FactUnhashed == 0:
		n.without[e.Dentry] = true
		n.made++
	case role == "kill" || role == "drop":
		delete(n.without, e.Dentry)
	}
}

func (n *counting) sum() {
	n.left = uint64(len(n.without))
	slices.SortStableFunc(n.all, func(a, b *ownCall) int { return cmp.Compare(b.took, a.took) })
	for _, c := range n.all {
		if c.own {
			continue
		}
		n.calls++
		n.operations[c.operation]++
		n.programs[c.program]++
		switch {
		case c.miss:
			n.miss++
		case c.ref:
			n.ref++
		default:
			n.rcu++
		}
		if c.took > 0 && len(n.slowest) < maxSlowest {
			n.slowest = append(n.slowest, c.id)
		}
	}
}

// The numbers of a summary are those of an independent count.
func TestSummaryIsWhatTheEventsSay(t *testing.T) {
	for file := range tracetest.Files(t, "../../traces/*.pb", "../../test/git.pb", "../../test/format1/*.pb", "../../test/cases/*.pb") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			held(t, summarized(t, file), count(t, file))
		})
	}
}

func summarized(t *testing.T, file string) *Summary {
	t.Helper()
	r := tracetest.Open(t, file)
	s, err := Summarize(r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func held(t *testing.T, s *Summary, n *own) {
	t.Helper()
	negatives := s.Negatives
	if negatives == nil { // not all their probes were attached
		negatives, n.made, n.left = new(NegativeCounts), 0, 0
	}
	for what, pair := range map[string][2]uint64{
		"calls": {s.Total.Calls, n.calls}, "failed": {s.Total.Failed, n.failed}, "took": {s.Total.Took, n.took}, "rcu": {s.Total.RCU, n.rcu}, "ref": {s.Total.Ref, n.ref},
		"miss": {s.Total.Miss, n.miss}, "allocs": {s.Total.Allocs, n.allocs}, "negatives made": {negatives.Made, n.made}, "negatives left": {negatives.Left, n.left},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d, the events say %d", what, pair[0], pair[1])
		}
	}
	for what, pair := range map[string][2]map[string]uint64{"operations": {counts(s.Total.Operations), n.operations}, "errnos": {counts(s.Errnos), n.errnos}} {
		if !maps.Equal(pair[0], pair[1]) {
			t.Errorf("%s: %v, the events say %v", what, pair[0], pair[1])
		}
	}
	for _, r := range s.Programs {
		if r.Calls != n.programs[r.Program] {
			t.Errorf("%s: %d calls, the events say %d", r.Program, r.Calls, n.programs[r.Program])
		}
	}
	var slowest []uint64
	for _, c := range s.Slowest {
		slowest = append(slowest, c.ID)
	}
	if !slices.Equal(slowest, n.slowest) {
		t.Errorf("slowest: %v, the events say %v", slowest, n.slowest)
	}
}

func counts(list []Count) map[string]uint64 {
	out := make(map[string]uint64)
	for _, c := range list {
		out[c.Name] = c.Count
	}
	return out
}
