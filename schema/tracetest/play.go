// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"fmt"
	"strings"
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
		if len(f) == 1 || actionOf(f[1]) == nil {
			return nil, fmt.Errorf("scene: %q is no PROGRAM WORD PATH", strings.TrimSpace(line))
		}
		ops = append(ops, Op{f[0], f[1], strings.Join(f[2:], " ")})
	}
	return ops, nil
}

// Play plays a scene, beginning with an empty disk. A program's process id follows from its name.
func (k *Kernel) Play(ops []Op) {
	disk := make(map[string]bool)
	for _, o := range ops {
		comm, thread, _ := strings.Cut(o.Program, ".")
		k.Task(PID(comm), comm)
		if thread != "" {
			k.Thread(uint32(thread[0] - '0'))
		}
		if do := actionOf(o.Do); do != nil {
			do(k, o.Path, strings.Split(o.Path, "/"), disk)
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

// actionOf returns what a word of a scene does; nil if there is no such word.
func actionOf(word string) func(k *Kernel, path string, parts []string, disk map[string]bool) {
	return map[string]func(*Kernel, string, []string, map[string]bool){
		"open": func(k *Kernel, path string, parts []string, disk map[string]bool) { k.Open(disk[path], parts...) },
		"create": func(k *Kernel, path string, parts []string, disk map[string]bool) {
			k.Create(parts...)
			disk[path] = true
		},
		"remove": func(k *Kernel, path string, parts []string, disk map[string]bool) {
			if disk[path] {
				k.Remove(parts...)
				delete(disk, path)
			}
		},
		"cached": func(k *Kernel, path string, parts []string, disk map[string]bool) {
			k.Unrecorded(func() { k.Open(disk[path], parts...) })
		},
		"onDisk":  func(_ *Kernel, path string, _ []string, disk map[string]bool) { disk[path] = true },
		"drop":    func(k *Kernel, _ string, _ []string, _ map[string]bool) { k.DropCaches() },
		"reclaim": func(k *Kernel, _ string, parts []string, _ map[string]bool) { k.Reclaim(parts...) },
		"disturb": func(k *Kernel, _ string, _ []string, _ map[string]bool) { k.Disturb() },
		"exec":    func(k *Kernel, _ string, parts []string, _ map[string]bool) { k.Exec(parts...) },
		"exit":    func(k *Kernel, path string, _ []string, _ map[string]bool) { k.Exit(uint64(len(path)) << 8) },
	}[word]
}
