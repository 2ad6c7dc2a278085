// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// here and there are machines that differ in everything that is not compared.
func here() tracetest.Machine {
	return tracetest.Machine{RunID: "here here here h", Unlink: true, Clock: 1_795_000_000_000_000_000}
}

func there() tracetest.Machine {
	return tracetest.Machine{RunID: "there there ther", Unlink: true, Base: 0x0000_0345_6700_0000, Occupied: 29, PIDs: 713,
		Later: 77_000_000_000, Clock: 1_795_000_999_000_000_000, OldestFirst: true}
}

type op = tracetest.Op

// scene parses a scene of a test.
func scene(text string) []op {
	ops, err := tracetest.Scene(text)
	if err != nil {
		panic(err) // the test is wrong
	}
	return ops
}

// record returns a trace of a scene.
func record(t testing.TB, m tracetest.Machine, seed uint64, ops []op) []byte {
	t.Helper()
	b, err := m.Bytes(seed, func(k *tracetest.Kernel) { k.Play(ops) })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// opened returns a trace as an input, and a function that closes it.
func opened(t testing.TB, name string, file []byte) (in Input, closed func()) {
	t.Helper()
	r, err := schema.NewReader(bytes.NewReader(file), 0)
	if err != nil {
		t.Fatal(err)
	}
	again := schema.NewSeeker(bytes.NewReader(file), int64(len(file)), 0)
	return Input{name, r, func(id uint64) (replay.Source, error) { return again.At(id) }}, func() { r.Close(); again.Close() }
}

// input returns a trace as an input that is open until the test ends.
func input(t testing.TB, name string, file []byte) Input {
	t.Helper()
	in, closed := opened(t, name, file)
	t.Cleanup(closed)
	return in
}

// compare closes the inputs, because a reader holds megabytes and a test may compare hundreds of runs.
func compare(t testing.TB, a, b []byte) *Result {
	t.Helper()
	x, closedA := opened(t, "a.pb", a)
	defer closedA()
	y, closedB := opened(t, "b.pb", b)
	defer closedB()
	r, err := Compare(x, y, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// text returns the result as it is printed.
func text(t testing.TB, r *Result) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// standard is a scene with hits, misses, created and removed files, and a drop of the caches.
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

// without returns the scene without the lines that contain the text.
func without(text, line string) string {
	var out []string
	for _, l := range strings.Split(text, "\n") {
		if !strings.Contains(l, line) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// instead returns the scene with the first occurrence of old replaced.
func instead(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the scene has no %q", old)
	}
	return strings.Replace(text, old, replacement, 1)
}

func (r *Result) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v, %d differences", r.Verdict(), r.Count())
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "; %s %s", d.Kind, d.Program)
	}
	return b.String()
}
