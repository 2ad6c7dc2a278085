// SPDX-License-Identifier: Apache-2.0

package replay_test

import (
	"bytes"
	"regexp"
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
