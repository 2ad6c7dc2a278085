// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// rotating is a session of a rotated recording whose records come from the test.
type rotating struct {
	*session
	t    *testing.T
	from *script
}

func newRotating(t *testing.T, c Config) *rotating {
	t.Helper()
	path, parts, err := c.firstOutput()
	if err != nil {
		t.Fatal(err)
	}
	h := &schema.Header{Kernel: &schema.Kernel{}, Layout: &schema.Layout{}, RunId: []byte("0123456789abcdef"), StartBootNs: 1000, Part: 1}
	h.RecordingId = h.RunId
	s := &session{config: &c, parts: parts}
	var trace *schema.Writer
	if s.output, trace, err = c.beginTrace(path, h); err != nil {
		t.Fatal(err)
	}
	s.parts.header = h
	r := &rotating{s, t, &script{}}
	s.writer = newWriter(r.from, 1<<20, trace, limits{events: c.MaxEvents, bytes: c.MaxBytes}, &s.counters, func(uint64) string { return "" })
	s.writer.setRotation(s.nextPart, c.Duration, h.StartBootNs)
	return r
}

// recordEvents records events at the given times and takes a turn after which everything up to the last is known.
func (r *rotating) recordEvents(times ...uint64) {
	var b []uint64
	for _, at := range times {
		b = append(b, raw(at, 1, fmt.Sprint(at))...)
	}
	r.takeTurn(times[len(times)-1]+1, b)
}

// takeTurn takes a turn with these records and losses, after which everything before now is known.
func (r *rotating) takeTurn(now uint64, records []uint64, losses ...*schema.Loss) {
	r.from.turns, r.from.horizon = append(r.from.turns, records), now+clockSlack
	r.writer.lossesRead, r.writer.lossesKnown = time.Now().Add(time.Hour), now+uint64(bpf.Lag)
	r.writer.takeLosses(losses)
	if _, err := r.writer.turn(time.Now()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rotating) end() error {
	r.writer.writeRest()
	return r.finish(&schema.Footer{EndNs: 1 << 40, EndedBy: "interrupt"})
}

// files returns one line for each file of a directory: its name and, if it is a trace, its packets.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil || b[0] != 0x28 {
			out = append(out, e.Name())
			continue
		}
		out = append(out, e.Name()+": "+strings.Join(packets(t, b), ", "))
	}
	return out
}

func TestRotateByEvents(t *testing.T) {
	dir := t.TempDir()
	r := newRotating(t, Config{Output: filepath.Join(dir, "run.pb"), MaxEvents: 2, Rotate: 3})
	r.recordEvents(1001, 1002, 1003, 1004, 1005, 1006, 1007)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	expect(t, files(t, dir), []string{"run.000002.pb: 1003, 1004, end 2 0", "run.000003.pb: 1005, 1006, end 2 0", "run.000004.pb: 1007, end 1 0"})
	if r.parts.events+r.output.wholeEvents != 7 || r.counters.events.Load() != 7 {
		t.Errorf("%d events counted, and %d shown", r.parts.events+r.output.wholeEvents, r.counters.events.Load())
	}
}

// When the ring buffer gets full, events are written before the losses are known; but no file ends before that.
func TestRotateWaitsForLosses(t *testing.T) {
	dir := t.TempDir()
	r := newRotating(t, Config{Output: filepath.Join(dir, "run.pb"), Duration: 100, Rotate: 9})
	r.writer.maxWaiting = 100
	r.from.horizon = 1 << 30
	full := func(settled uint64, times ...uint64) {
		t.Helper()
		var b []uint64
		for _, at := range times {
			b = append(b, raw(at, 1, fmt.Sprint(at))...)
		}
		r.from.turns = append(r.from.turns, b)
		r.writer.lossesRead, r.writer.lossesKnown = time.Now().Add(time.Hour), settled+uint64(bpf.Lag)
		if _, err := r.writer.turn(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	full(1001, 1050, 1090, 1110, 1120, 1130, 1140)
	if n := r.writer.trace.Events(); n < 3 || r.parts.number != 1 {
		t.Errorf("%d events written, of file %d", n, r.parts.number)
	}
	full(1200, 1150)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	expect(t, files(t, dir), []string{"run.000001.pb: 1050, 1090, 1110, 1120, end 4 0", "run.000002.pb: 1130, 1140, 1150, end 3 0"})
}

// A file ends when the next begins, has its part number in the header, and is complete.
func TestRotateHeaders(t *testing.T) {
	dir := t.TempDir()
	r := newRotating(t, Config{Output: filepath.Join(dir, "run.pb"), MaxEvents: 1, Rotate: 9})
	r.recordEvents(1001, 1005, 1009)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	begun := []uint64{1000, 1005, 1009}
	ids := make(map[string]bool)
	for i, begin := range begun {
		in := tracetest.Open(t, filepath.Join(dir, fmt.Sprintf("run.%06d.pb", i+1)))
		h := in.Header()
		if h.Part != uint32(i+1) || string(h.RecordingId) != "0123456789abcdef" || h.StartBootNs != begin || ids[string(h.RunId)] {
			t.Errorf("header of file %d: %v", i+1, h)
		}
		ids[string(h.RunId)] = true
		for rec, err := in.Next(); err == nil; rec, err = in.Next() {
			if end, ok := rec.(*schema.Footer); ok && i < 2 && (end.EndNs != begun[i+1] || end.EndedBy != "rotation") {
				t.Errorf("footer of file %d: %v", i+1, end)
			}
		}
	}
}

// A file ends by time although no event comes; a long pause makes one file and not several.
func TestRotateByTime(t *testing.T) {
	dir := t.TempDir()
	r := newRotating(t, Config{Output: filepath.Join(dir, "run.pb"), Duration: 100, Rotate: 9})
	r.recordEvents(1001, 1099, 1100)
	r.takeTurn(1250, nil)
	r.recordEvents(1990)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	expect(t, files(t, dir), []string{"run.000001.pb: 1001, 1099, end 2 0", "run.000002.pb: 1100, end 1 0", "run.000003.pb: end 0 0", "run.000004.pb: 1990, end 1 0"})
	if r.writer.rotation.start != 1900 {
		t.Errorf("the last begins at %d", r.writer.rotation.start)
	}
}

// A loss whose window spans the end of a file is in both files; one whose window has no end is in all later files.
func TestRotateLosses(t *testing.T) {
	dir := t.TempDir()
	r := newRotating(t, Config{Output: filepath.Join(dir, "run.pb"), MaxEvents: 2, Rotate: 9})
	ring := func(count, first, last uint64) *schema.Loss {
		return &schema.Loss{Cause: schema.LossRingBuffer, Role: schema.RoleKill, Count: count, FirstNs: first, LastNs: last}
	}
	r.takeTurn(1001, nil, ring(1, 1001, 1001), ring(7, 1002, 1004), &schema.Loss{Cause: schema.LossWatchOverflow, Count: 2, FirstNs: 1004, LastNs: 1004})
	r.recordEvents(1001, 1003, 1004, 1005, 1006)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	expect(t, files(t, dir), []string{
		"run.000001.pb: 1001, LOSS_CAUSE_RING_BUFFER 1, LOSS_CAUSE_RING_BUFFER 7, 1003, end 2 8",
		"run.000002.pb: LOSS_CAUSE_RING_BUFFER 7, 1004, LOSS_CAUSE_WATCH_OVERFLOW 2, 1005, end 2 9",
		"run.000003.pb: LOSS_CAUSE_WATCH_OVERFLOW 2, 1006, end 1 2",
	})
}

// Numbers continue after those of an earlier recording, whose files are removed first. A file that only has such
// a name stays: one that is no trace, a recording that was not rotated, a symbolic link.
func TestRotateKeepsOthers(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	r := newRotating(t, Config{Output: path("run.pb"), MaxEvents: 1, Rotate: 2})
	r.recordEvents(1001, 1002)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path("run.000003.pb"), []byte("notes"), 0o600), os.Symlink("run.000002.pb", path("run.000004.pb"))); err != nil {
		t.Fatal(err)
	}
	o, trace, err := (&Config{}).beginTrace(path("run.000005.pb"), &schema.Header{Kernel: &schema.Kernel{}, Layout: &schema.Layout{}, RunId: make([]byte, 16)})
	if err != nil || trace.Close(&schema.Footer{}) != nil || o.close() != nil {
		t.Fatal(err)
	}
	r = newRotating(t, Config{Output: path("run.pb"), MaxEvents: 1, Rotate: 2})
	r.recordEvents(1001, 1002, 1003)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	expect(t, files(t, dir), []string{"run.000003.pb", "run.000004.pb", "run.000005.pb: end 0 0", "run.000007.pb: 1002, end 1 0", "run.000008.pb: 1003, end 1 0"})
}

// If the next file cannot be created, the recording ends in the current one, which is complete and has the loss
// of the events after it.
func TestRotateNoRoom(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "run.000002.pb"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := Config{Output: filepath.Join(dir, "run.pb"), MaxEvents: 1, Rotate: 2}
	r := newRotating(t, c)
	if r.output.name != tracefile.PartName(c.Output, 3) {
		t.Fatalf("begins with %s", r.output.name)
	}
	if err := os.Mkdir(filepath.Join(dir, "run.000004.pb"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.recordEvents(1001, 1002, 1003)
	select {
	case <-r.writer.full:
	default:
		t.Error("the recording goes on")
	}
	var lost *tracefile.LostError
	if err := r.end(); !errors.As(err, &lost) || lost.Kept != 1 {
		t.Errorf("error %v", err)
	}
	b, err := os.ReadFile(r.output.path)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, packets(t, b), []string{"1001", "LOSS_CAUSE_LIMIT 2", "end 1 2"})
}

// A file exceeds its size limit by at most a small frame.
func TestRotateSize(t *testing.T) {
	dir := t.TempDir()
	const size = 256 << 10
	r := newRotating(t, Config{Output: filepath.Join(dir, "run.pb"), MaxBytes: size, Rotate: 99})
	at := uint64(1000)
	for range 40 {
		times := make([]uint64, 4096)
		for i := range times {
			at += 1 + at*at%977
			times[i] = at
		}
		r.recordEvents(times...)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(dir, "run.*.pb"))
	if err != nil || len(made) < 3 {
		t.Fatalf("%d files: %v", len(made), err)
	}
	for _, name := range made[:len(made)-1] {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() < size-16<<10 || info.Size() > size+32<<10 {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
	}
}

// A recording whose file was removed ends, and says so.
func TestRotatePastARemovedFile(t *testing.T) {
	dir := t.TempDir()
	r := newRotating(t, Config{Output: filepath.Join(dir, "run.pb"), MaxEvents: 2, Rotate: 3})
	r.recordEvents(1001, 1002)
	if err := os.Remove(r.output.name); err != nil {
		t.Fatal(err)
	}
	r.recordEvents(1003, 1004)
	if err := r.end(); err == nil || !strings.Contains(err.Error(), "removed while recording") {
		t.Errorf("error %v", err)
	}
	expect(t, files(t, dir), nil)
}
