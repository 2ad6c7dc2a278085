// SPDX-License-Identifier: Apache-2.0

package replay_test

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// rare returns a trace in which one process opens one path, in the middle and near the end.
func rare(t *testing.T) []byte {
	t.Helper()
	b, err := tracetest.Machine{}.Bytes(1, func(k *tracetest.Kernel) {
		for i := range 40000 {
			k.Task(1000, "usual")
			k.Open(i%7 != 0, "usr", "src", string(rune('a'+i%26)))
			if i == 20000 || i == 38000 {
				k.Task(2000, "rare")
				k.Open(true, "usr", "tab\there")
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	number  = regexp.MustCompile(`,"object":"D\d+"`)
	textual = regexp.MustCompile(` D\d+`)
)

// With the index a filter shows the same as from the whole trace, except for the numbers of dentries.
func TestSkippingShowsTheSame(t *testing.T) {
	file := rare(t)
	for name, filter := range map[string]replay.Filter{
		"time":           {From: 1e9 + 200e6, To: 1e9 + 204e6},
		"from":           {From: 1e9 + 500e6},
		"process":        {PIDs: []uint32{2000}},
		"task":           {Comms: []string{"rare"}},
		"path":           {Paths: []string{"/usr/tab\there"}},
		"as printed":     {Paths: []string{`/usr/tab\there`}},
		"path and time":  {Paths: []string{"/usr/tab\there"}, To: 1e9 + 500e6},
		"path and roles": {Paths: []string{"/usr/tab\there"}, Roles: []schema.Role{schema.RoleAlloc}},
	} {
		for _, format := range []func() replay.Format{replay.NewJSON, func() replay.Format { return replay.NewText(replay.TextOptions{Wide: true}) }} {
			var whole, skimmed bytes.Buffer
			print(t, &whole, file, &filter, format())
			r, err := schema.NewReaderAt(bytes.NewReader(file), int64(len(file)), 0)
			if err != nil {
				t.Fatal(err)
			}
			skipped := &skips{Reader: r}
			if _, err := replay.Print(&skimmed, skipped, &filter, format()); err != nil {
				t.Fatal(err)
			}
			r.Close()
			if skipped.events == 0 || strings.Count(whole.String(), "\n") < 4 {
				t.Errorf("%s: %d events passed over, %d lines", name, skipped.events, strings.Count(whole.String(), "\n"))
			}
			plain := func(b []byte) string { return string(textual.ReplaceAll(number.ReplaceAll(b, nil), nil)) }
			if plain(whole.Bytes()) != plain(skimmed.Bytes()) {
				t.Errorf("%s: other lines than of the whole trace:\n%.2000s\nwant\n%.2000s", name, skimmed.String(), whole.String())
			}
			if number.Match(skimmed.Bytes()) || textual.Match(skimmed.Bytes()) {
				t.Errorf("%s: dentries have numbers, that are not those of the trace", name)
			}
		}
	}
}

// With the index, a call on the path is shown whole even if it spans frames that name neither the path nor its
// task: an open, and an operation with its walk.
func TestSkippingKeepsLongCalls(t *testing.T) {
	for _, calls := range [][]schema.Role{{schema.RoleOpen}, {schema.RoleStat, schema.RoleWalk}} {
		var file bytes.Buffer
		w, err := schema.NewWriter(&file, tracetest.Header())
		if err != nil {
			t.Fatal(err)
		}
		now := uint64(1e9)
		frame := func(e schema.Event) {
			now += 1000
			e.Time, e.TID, e.Columns, e.NameLen = now, e.PID, e.Role.Shape(e.Phase).Columns, uint32(len(e.Name))
			if err := errors.Join(w.Append(&e), w.Flush()); err != nil {
				t.Fatal(err)
			}
		}
		for _, role := range calls {
			frame(schema.Event{Role: role, PID: 7, Comm: "slow", Phase: schema.Enter, Name: "/wanted", NameAddr: 0xffff_0000_0100})
		}
		for range 6 {
			frame(schema.Event{Role: schema.RoleDrop, Phase: schema.Enter, PID: 8, Comm: "other", Dentry: 0xffff_0000_1000, Name: "x"})
			frame(schema.Event{Role: schema.RoleDrop, Phase: schema.Enter, PID: 7, Comm: "slow", Dentry: 0xffff_0000_2000, Name: "y"})
		}
		for _, role := range slices.Backward(calls) {
			frame(schema.Event{Role: role, PID: 7, Comm: "slow", Phase: schema.Exit})
		}
		if err := w.Close(&schema.Footer{}); err != nil {
			t.Fatal(err)
		}
		var whole, skimmed bytes.Buffer
		filter := replay.Filter{Paths: []string{"/wanted"}}
		print(t, &whole, file.Bytes(), &filter, replay.NewJSON())
		r, err := schema.NewReaderAt(bytes.NewReader(file.Bytes()), int64(file.Len()), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := replay.Print(&skimmed, r, &filter, replay.NewJSON()); err != nil {
			t.Fatal(err)
		}
		r.Close()
		events := strings.Count(whole.String(), `"type":"event"`) // all but the entry of the stat, which has no path yet
		if want := 6 + 2*len(calls) - len(calls)/2; events != want || !bytes.Equal(number.ReplaceAll(whole.Bytes(), nil), number.ReplaceAll(skimmed.Bytes(), nil)) {
			t.Errorf("%v: %d events, want %d, and %d by the index", calls, events, want, strings.Count(skimmed.String(), `"type":"event"`))
		}
	}
}

// skips counts what a reader skips.
type skips struct {
	*schema.Reader
	events uint64
}

func (s *skips) Next() (schema.Record, error) {
	rec, err := s.Reader.Next()
	if p, ok := rec.(*schema.Skipped); ok {
		s.events += p.Events
	}
	return rec, err
}

// With an index, Info has the counts of events, and says that they were not read.
func TestInfoByTheIndex(t *testing.T) {
	file := rare(t)
	r, err := schema.NewReader(bytes.NewReader(file), 0)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := replay.ReadInfo(r)
	if err != nil {
		t.Fatal(err)
	}
	at, err := schema.NewReaderAt(bytes.NewReader(file), int64(len(file)), 0)
	if err != nil {
		t.Fatal(err)
	}
	indexed, err := replay.ReadInfo(at)
	if err != nil {
		t.Fatal(err)
	}
	if !indexed.Indexed || whole.Indexed {
		t.Error("which of the two is by the index?")
	}
	indexed.Indexed = false
	var a, b bytes.Buffer
	if err := whole.WriteJSON(&a, "x"); err != nil {
		t.Fatal(err)
	}
	if err := indexed.WriteJSON(&b, "x"); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Errorf("by the index:\n%s\nof the whole:\n%s", b.String(), a.String())
	}
}
