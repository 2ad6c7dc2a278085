// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dtrec/dtrec/internal/vm"
	"github.com/dtrec/dtrec/schema"
)

// straced is a script that uses paths in every way, rightly and wrongly.
const straced = `cd /tmp; mkdir d d/e; mkdir d; mkdir no/d; touch d/f; chmod 600 d/f; ln d/f d/g; ln d/no d/h; ln -s f d/s; ln -s f d/s
readlink d/s; readlink d/f; cat d/s d/no >/dev/null; cat f/x; stat d/f d/no; ls -l d; test -x d/f; test -r d/no/x; cp d/f d/i
mv d/f d/j; mv d/no d/k; mv -T d/e d/l; mv d/j d/l/j; mknod d/p p; mknod d/p p; rm d/g d/no; rm -r d/l; rmdir d; rmdir d/no
cd d && cd ../d && cd no; chmod 700 d d/no; nosuch; ./d; rm -r d; ln -s loop loop; cat loop; cat loop/x; rm loop
chown 0 d d/no; chown -h 0 /tmp; truncate -s 9 /tmp/no/t; touch -d @1 /tmp; stat -f /tmp /no`

// straces returns the runs under strace: on ext4 on every kernel, after a session with git, and on the
// other filesystems only on the oldest and the newest kernel.
func straces() []errand {
	script := "strace -f -s 5000 -o /strace -e trace=%file dash -c '" + strings.ReplaceAll(straced, "\n", "; ") + "' >/dev/null 2>&1; cat /strace"
	var out []errand
	for _, fs := range vm.Filesystems() {
		e := errand{test: "TestKernelStrace", name: "strace-" + fs, line: recording("--", "dash", "-c", script), outer: fs != vm.FSExt4, fs: fs}
		if fs == vm.FSExt4 {
			e.test, e.line = "TestKernelStrace TestKernelAnswers", recording("--", "dash", "-c", session+script)
		}
		out = append(out, e)
	}
	return out
}

// guestPrograms is a directory with Debian's programs and their libraries; see scripts/guest-programs.
var guestPrograms = sync.OnceValue(func() string {
	bin, err := programs()
	dir := filepath.Join(filepath.Dir(bin), "debian")
	if err == nil {
		err = exec.Command("scripts/guest-programs", dir).Run()
	}
	if err != nil {
		return "/nonexistent" // which makes the guest fail with a message
	}
	return dir
})

// pathOperation is what a program did with one or two paths, and the result.
type pathOperation struct {
	op    string
	paths []string
	errno string // empty: success
}

// TestKernelStrace checks that every call with a path which strace prints is recorded as the same
// operation with the same paths and result, in the same order, and that no other call is. The opens
// that an execve makes are the kernel's own, and within it.
func TestKernelStrace(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		for _, e := range straces() {
			if all, _ := errands(); all[release+" "+e.name] == nil {
				continue
			}
			o := waitForErrand(t, release, e.name)
			if o.Code != 0 {
				t.Fatalf("%s: exit %d\n%s%s", e.name, o.Code, o.Stdout, o.Stderr)
			}
			want, got := straceOperations(t, o.Stdout), recordedOperations(t, o.trace)
			var calls int
			for tid, list := range want {
				calls += len(list)
				for i, w := range list {
					if i >= len(got[tid]) {
						t.Errorf("%s: thread %d: strace has %v, the recording ends", e.name, tid, w)
						break
					}
					if g := got[tid][i]; !same(g, w) {
						t.Errorf("%s: thread %d: call %d is recorded as %v, strace has %v", e.name, tid, i, g, w)
						break
					}
				}
				if n := len(list); len(got[tid]) > n {
					t.Errorf("%s: thread %d: recorded and not in strace's: %v", e.name, tid, got[tid][n:])
				}
			}
			if calls < 400 {
				t.Errorf("%s: strace has %d calls only: %.300s", e.name, calls, o.Stderr)
			}
			t.Logf("%s: %d calls of %d threads", e.name, calls, len(want))
		}
	})
}

// same reports whether two operations agree. If a walk failed, the operation's later paths were not
// walked and are missing from got.
func same(got, want pathOperation) bool {
	return got.op == want.op && got.errno == want.errno && len(got.paths) <= len(want.paths) &&
		(got.errno != "" || len(got.paths) == len(want.paths)) && slices.Equal(got.paths, want.paths[:len(got.paths)])
}

var (
	straceLine = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+)(?: (E\w+))?`)
	straceName = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	unfinished = regexp.MustCompile(`^(\d+) +(.*) <unfinished \.\.\.>$`)
	resumed    = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
)

// straceOperations returns the operations that strace printed, by thread.
func straceOperations(t *testing.T, text string) map[uint32][]pathOperation {
	t.Helper()
	out, begun := make(map[uint32][]pathOperation), make(map[string]string)
	for _, line := range strings.Split(text, "\n") {
		if m := unfinished.FindStringSubmatch(line); m != nil {
			begun[m[1]] = m[2]
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			line = m[1] + " " + begun[m[1]] + m[2]
		}
		m := straceLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		var tid uint32
		fmt.Sscan(m[1], &tid)
		var paths []string
		for _, p := range straceName.FindAllStringSubmatch(m[3], -1) {
			paths = append(paths, p[1])
		}
		if o, ok := straceOperation(m[2], m[3], paths, m[5]); ok {
			out[tid] = append(out[tid], o)
		}
	}
	return out
}

// families lists the operations by the beginning of a system call's name, and which of the call's
// strings are paths. A stat of "" is of a descriptor.
var families = []struct {
	call, op    string
	first, last int
}{
	{"open", "open", 0, 1}, {"creat", "open", 0, 1}, {"stat", "stat", 0, 1}, {"lstat", "stat", 0, 1}, {"newfstatat", "stat", 0, 1},
	{"access", "access", 0, 1}, {"faccessat", "access", 0, 1}, {"readlink", "readlink", 0, 1}, {"chdir", "chdir", 0, 1},
	{"execve", "exec", 0, 1}, {"mkdir", "mkdir", 0, 1}, {"mknod", "mknod", 0, 1}, {"unlink", "unlink", 0, 1}, {"rmdir", "rmdir", 0, 1},
	{"rename", "rename", 0, 2}, {"symlink", "symlink", 1, 2}, {"link", "link", 0, 2}, {"mount", "mount", 1, 2},
	{"chmod", "chmod", 0, 1}, {"fchmodat", "chmod", 0, 1}, {"chown", "chown", 0, 1}, {"lchown", "chown", 0, 1}, {"fchownat", "chown", 0, 1},
	{"utime", "utimes", 0, 1}, {"futimesat", "utimes", 0, 1}, {"statfs", "statfs", 0, 1}, {"truncate", "truncate", 0, 1},
	{"getxattr", "getxattr", 0, 1}, {"lgetxattr", "getxattr", 0, 1}, {"setxattr", "setxattr", 0, 1}, {"lsetxattr", "setxattr", 0, 1},
	{"listxattr", "listxattr", 0, 1}, {"llistxattr", "listxattr", 0, 1}, {"removexattr", "removexattr", 0, 1}, {"lremovexattr", "removexattr", 0, 1},
}

func straceOperation(call, args string, paths []string, errno string) (o pathOperation, ok bool) {
	for _, f := range families {
		if !strings.HasPrefix(call, f.call) || call == "statfs" && f.op == "stat" || len(paths) < f.last {
			continue
		}
		o = pathOperation{f.op, paths[f.first:f.last], errno}
		if strings.Contains(args, "AT_REMOVEDIR") {
			o.op = "rmdir"
		}
		return o, !slices.Equal(o.paths, []string{""})
	}
	return o, false
}

// recordedOperations reconstructs the operations from the events, by thread.
func recordedOperations(t *testing.T, trace string) map[uint32][]pathOperation {
	t.Helper()
	out, inside := make(map[uint32][]pathOperation), make(map[uint32]*pathOperation)
	for _, v := range jsonLines(t, trace) {
		if v["type"] != "event" {
			continue
		}
		tid, role := uint32(v["tid"].(float64)), v["role"].(string)
		path, _ := v["name"].(string)
		errno, _ := v["errno"].(string)
		op, enter := operations()[role], v["phase"] == "enter"
		walk := role == "walk" || role == "walk_parent" || role == "open"
		switch c := inside[tid]; {
		case c != nil && c.op != op && walk:
			if enter && (c.op != "exec" || len(c.paths) == 0) { // what an execve opens after the program is the interpreter
				c.paths = append(c.paths, path)
			}
		case op != "" && enter:
			inside[tid] = &pathOperation{op: op}
			if role == "open" {
				inside[tid].paths = []string{path}
			}
		case op != "" && c != nil:
			delete(inside, tid)
			if c.errno = errno; !slices.Equal(c.paths, []string{""}) && (len(c.paths) > 0 || c.errno != "") { // utimensat of a descriptor has no path
				out[tid] = append(out[tid], *c)
			}
		}
	}
	return out
}

// operations returns the operation of each role, from the catalogue.
func operations() map[string]string {
	out := make(map[string]string)
	for _, info := range schema.Catalogue() {
		out[info.Name] = info.Op
	}
	return out
}
