// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const usesDir = "/tmp/uses"

// reportedUse is the report of test/uses about one use of a path.
type reportedUse struct {
	Way, Path, Target, How, Errno string
	Dir                           bool
}

// operationOfWay maps ways whose operation is not their last word. A walk is all that is known of uses
// for which there is no probe: 32-bit variants of system calls that are probed as a whole, and xattrs
// through io_uring.
var operationOfWay = map[string]string{
	"openat2": "open", "io_uring openat2": "open", "execveat": "exec", "32-bit execve": "open", "32-bit chdir": "walk", "32-bit truncate": "walk",
	"io_uring getxattr": "walk", "io_uring setxattr": "walk",
}

func (u *reportedUse) operation() string {
	if op := operationOfWay[u.Way]; op != "" {
		return op
	}
	return u.Way[strings.LastIndexByte(u.Way, ' ')+1:]
}

// unsupported reports whether this kernel does not have the call, or not with these arguments. (readlink of
// a file that is no link returns EINVAL as well.)
func (u *reportedUse) unsupported() bool {
	return u.Errno == "EINVAL" && u.Way != "32-bit readlink" || u.Errno == "ENOSYS"
}

// TestKernelUses checks that each use of a path by openat2, execveat, xattr calls, io_uring and 32-bit
// system calls is recorded, with everything known about it, and that no other use is. What io_uring
// does in a worker belongs to the worker's process.
func TestKernelUses(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		o := recorded(t, release, "uses")
		byPath := make(map[string][]reportedUse)
		for line := range strings.Lines(o.Stdout) {
			var u reportedUse
			if err := json.Unmarshal([]byte(line), &u); err != nil {
				t.Fatal(err)
			}
			if !u.unsupported() {
				byPath[u.Path] = append(byPath[u.Path], u)
			}
		}
		if len(byPath) < 20 {
			t.Fatalf("uses of %d paths: %s", len(byPath), o.Stdout)
		}
		calls := make(map[string][]*replay.PathCall)
		var dir *replay.Object
		for _, c := range callsOf(t, o.trace) {
			if c.Path == usesDir && c.Operation == "open" {
				dir = c.Dentry
			}
			if firstTry := slices.Contains(c.FlagNames(), "LOOKUP_CACHED") && c.Errno == 11 && strings.HasPrefix(c.Path, usesDir); !firstTry {
				calls[c.Path] = append(calls[c.Path], c)
			}
		}
		for path, list := range byPath {
			if len(list) != len(calls[path]) {
				t.Errorf("%s: %d calls, %d uses: %+v", path, len(calls[path]), len(list), list)
				continue
			}
			for i, u := range list {
				u.compare(t, calls[path][i], dir)
			}
		}
		if v := verdicts(t, o.trace); v.Lost > 0 || v.Refuted > 0 || v.Unproven > 0 {
			t.Errorf("%d lost, %d refuted, %d unproven", v.Lost, v.Refuted, v.Unproven)
		}
	})
}

// compare compares a recorded call with the report about it. Dir is the directory that is open.
func (u *reportedUse) compare(t *testing.T, c *replay.PathCall, dir *replay.Object) {
	t.Helper()
	errno := ""
	if c.Failed() {
		errno = schema.ErrnoName(c.Errno)
	}
	list := c.FlagNames()
	if strings.HasPrefix(u.Way, "io_uring") { // io_uring first tries the cache alone
		list = slices.DeleteFunc(list, func(limit string) bool { return limit == "LOOKUP_CACHED" })
	}
	limits := strings.Join(list, " ")
	if c.Operation != u.operation() || errno != u.Errno || c.Target != u.Target && u.operation() != "exec" || limits != u.How {
		t.Errorf("%+v is recorded as %s of %s to %s, with %v: %s", u, c.Operation, c.Path, c.Target, c.FlagNames(), errno)
	}
	if u.Dir != (c.Start == dir) {
		t.Errorf("%+v started at %v, the directory is %v", u, c.Start, dir)
	}
	worker := c.TID != c.PID
	if c.Program != "uses" || worker != strings.HasPrefix(c.Comm, "iou-wrk-") || strings.Contains(u.Path, "/worker-") && strings.HasPrefix(u.Way, "io_uring") != worker {
		t.Errorf("%+v is of %s, thread %d of %d, called %s", u, c.Program, c.TID, c.PID, c.Comm)
	}
}

// callsOf returns the path calls of a trace in the order in which they were made.
func callsOf(t *testing.T, trace string) (calls []*replay.PathCall) {
	t.Helper()
	for c, err := range replay.Calls(readerOf(t, trace)) {
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, c)
	}
	slices.SortFunc(calls, func(a, b *replay.PathCall) int { return int(a.ID) - int(b.ID) })
	return calls
}
