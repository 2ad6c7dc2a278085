// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// here and there are two machines that differ in everything that is not compared.
func here() tracetest.Machine {
	return tracetest.Machine{RunID: "here here here h", Unlink: true, Clock: 1_795_000_000_000_000_000}
}

func there() tracetest.Machine {
	return tracetest.Machine{RunID: "there there ther", Unlink: true, Base: 0x0000_0345_6700_0000, Occupied: 29, PIDs: 713,
		Later: 77_000_000_000, Clock: 1_795_000_999_000_000_000, OldestFirst: true}
}

// op is one thing a program does in a scene.
type op struct {
	program, do string
	path        string
}

func (o op) String() string { return o.program + " " + o.do + " " + o.path }

// scene reads lines of "program what path".
func scene(text string) []op {
	var ops []op
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 {
			ops = append(ops, op{f[0], f[1], strings.Join(f[2:], " ")})
		}
	}
	return ops
}

// files is what is on the disk of a scene.
type files map[string]bool

// play does a scene on a kernel. A program's process id follows from its name; a
// name "x.2" is thread 2 of x.
func play(k *tracetest.Kernel, ops []op, disk files) {
	for _, o := range ops {
		comm, thread, _ := strings.Cut(o.program, ".")
		pid := uint32(1000)
		for _, c := range comm {
			pid = pid*7%5003 + uint32(c)
		}
		k.Task(pid, comm)
		if thread != "" {
			k.Thread(uint32(thread[0] - '0'))
		}
		do(k, o, disk)
	}
}

func do(k *tracetest.Kernel, o op, disk files) {
	parts := strings.Split(o.path, "/")
	switch o.do {
	case "open":
		k.Open(disk[o.path], parts...)
	case "create":
		k.Create(parts...)
		disk[o.path] = true
	case "remove":
		if disk[o.path] {
			k.Remove(parts...)
			delete(disk, o.path)
		}
	case "drop":
		k.DropCaches()
	case "reclaim":
		k.Reclaim(parts...)
	case "cached": // before the recording
		k.Unrecorded(func() { k.Open(disk[o.path], parts...) })
	case "onDisk":
		disk[o.path] = true
	case "disturb":
		k.Disturb()
	case "exec":
		k.Exec(parts...)
	case "exit":
		k.Exit(uint64(len(o.path)) << 8)
	default:
		panic(o.do)
	}
}

// record makes a trace of a scene.
func record(t testing.TB, m tracetest.Machine, seed uint64, ops []op) []byte {
	t.Helper()
	b, err := m.Bytes(seed, func(k *tracetest.Kernel) { play(k, ops, files{}) })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func reader(t testing.TB, file []byte) *schema.Reader {
	t.Helper()
	r, err := schema.NewReader(bytes.NewReader(file), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func compare(t testing.TB, a, b []byte) *Result {
	t.Helper()
	r, err := Compare(Input{"a.pb", reader(t, a)}, Input{"b.pb", reader(t, b)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// text is the result as it is printed.
func text(t testing.TB, r *Result) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// standard is a scene with hits, misses, created and removed files, and a drop.
const standard = `
	init onDisk usr/src/a.h
	init onDisk usr/src/b.h
	init onDisk usr/src/c.h
	cat open usr/src/a.h
	cat open usr/src/b.h
	cat open usr/src/none.h
	cat open usr/src/none.h
	sh create usr/src/new.h
	sh open usr/src/new.h
	sh open usr/src/a.h
	sh remove usr/src/new.h
	evict open usr/src/c.h
	evict drop
	evict open usr/src/c.h
	cat open usr/src/a.h
	tail open usr/src/a_name_longer_than_the_inline_name_of_any_dentry.h
	tail open usr/src/b.h
	tail exit`

// without returns the scene less its lines that contain the text.
func without(text, line string) string {
	var out []string
	for _, l := range strings.Split(text, "\n") {
		if !strings.Contains(l, line) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// instead returns the scene with the first of old replaced.
func instead(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the scene has no %q", old)
	}
	return strings.Replace(text, old, replacement, 1)
}

func (r *Result) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v, %d differences, %d follow", r.Verdict(), r.Count(), len(r.Follows))
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "; %s %s", d.Kind, d.Program)
	}
	return b.String()
}
