// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Op is one action of a program in a scene: a word, and the path it applies to.
//
//	open, create, remove   as open(2), creat(2) and unlink(2) do
//	drop                   a write to drop_caches
//	reclaim                kills the path's dentry, whatever task is running
//	disturb                makes the next walk fall back from rcu-walk
//	exec, exit             the program begins; it ends, with the path's length as its exit code
//	onDisk                 the file exists from the start
//	cached                 its dentry is older than the recording
type Op struct {
	Program string // "cat"; "cat.2" is its thread 2
	Do      string
	Path    string // components joined by slashes, without a leading one
}

// String returns the line that Scene reads.
func (o Op) String() string { return o.Program + " " + o.Do + " " + o.Path }

// Scene reads lines of "PROGRAM WORD PATH" and skips empty lines.
func Scene(text string) ([]Op, error) {
	var ops []Op
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) == 1 || !slices.Contains(words, f[1]) {
			return nil, fmt.Errorf("scene: %q is no PROGRAM WORD PATH", strings.TrimSpace(line))
		}
		ops = append(ops, Op{f[0], f[1], strings.Join(f[2:], " ")})
	}
	return ops, nil
}

// words are those that Play knows.
var words = []string{"open", "create", "remove", "drop", "reclaim", "disturb", "exec", "exit", "onDisk", "cached"}

// Play plays a scene, beginning with an empty disk. A program's process id follows from its name.
func (k *Kernel) Play(ops []Op) {
	disk := make(map[string]bool)
	for _, o := range ops {
		comm, thread, _ := strings.Cut(o.Program, ".")
		k.Task(PID(comm), comm)
		if thread != "" {
			k.ev.TID += uint32(thread[0] - '0')
		}
		switch parts := strings.Split(o.Path, "/"); o.Do {
		case "open":
			k.Open(disk[o.Path], parts...)
		case "create":
			k.Create(parts...)
			disk[o.Path] = true
		case "remove":
			if disk[o.Path] {
				k.Remove(parts...)
				delete(disk, o.Path)
			}
		case "drop":
			k.DropCaches()
		case "reclaim":
			k.Reclaim(parts...)
		case "disturb":
			k.disturbed = true
		case "exec":
			k.Exec(parts...)
		case "exit":
			k.Exit(uint64(len(o.Path)) << 8)
		case "onDisk":
			disk[o.Path] = true
		case "cached":
			record := k.record
			k.record = func(*schema.Event) {}
			k.Open(disk[o.Path], parts...)
			k.record = record
		}
	}
}

// PID returns the process id of a scene's program on the zero Machine.
func PID(comm string) uint32 {
	pid := uint32(1000)
	for _, c := range comm {
		pid = pid*7%5003 + uint32(c)
	}
	return pid
}
