// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"maps"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Negative dentries and misses count for the filesystem that the alloc of the dentry names, whatever that of the
// call is.
func TestTopByFilesystemIsThatOfTheAllocs(t *testing.T) {
	for _, file := range []string{"../../test/git.pb", "../../traces/run1.pb", "../../traces/linux-7.3.pb"} {
		src, types := tracetest.Open(t, file), make(map[uint64]string) // by id of an alloc
		m, want := replay.NewModel(src.Header()), map[string]map[string]uint64{"negatives": {}, "misses": {}}
		fs := func(d *replay.Object) string {
			if d.Born == 0 { // its directory is older as well
				return m.FSType(d)
			}
			return types[d.Born]
		}
		m.Negative = func(n *replay.Negative) {
			if n.Fate != replay.FateMade {
				want["negatives"][fs(n.Dentry)]++
			}
		}
		m.Call = func(c *replay.PathCall) {
			for _, p := range c.Components {
				if p.Found == replay.FoundMiss {
					want["misses"][fs(p.Dentry)]++
				}
			}
		}
		if err := replay.Read(src, func(rec schema.Record) {
			if e, ok := rec.(*schema.Event); ok && e.Role == schema.RoleAlloc {
				types[e.ID] = e.FSType
			}
			m.Record(rec)
		}); err != nil {
			t.Fatal(err)
		}
		m.End()
		for of, want := range want {
			got := make(map[string]uint64)
			for _, r := range topOf(t, file, of, "fs").Rows {
				got[r.Key] = r.Amount
			}
			if !maps.Equal(got, want) || len(got) < 2 || got[""] > 0 {
				t.Errorf("%s: %s by fs: %v, the allocs say %v", file, of, got, want)
			}
		}
	}
}

// A filter by a path that calls led to, and that none was given, says what they were given.
func TestInVainNamesThePathAsGiven(t *testing.T) {
	const file = "../../test/git.pb"
	given, led := make(map[string]bool), make(map[string]string) // by path as given; by path led to: the first one given
	for c, err := range replay.Calls(tracetest.Open(t, file)) {
		if err != nil {
			t.Fatal(err)
		}
		given[c.Path], given[c.Target] = true, true
		if _, known := led[c.Resolved]; !known && c.End != 0 {
			led[c.Resolved] = c.Path
		}
	}
	tried := 0
	for path, as := range led {
		if given[path] || path == "" {
			continue
		}
		tried++
		src := replay.Pick(tracetest.Open(t, file), &replay.Filter{Paths: []string{path}})
		if err := replay.Read(src, func(schema.Record) {}); err != nil {
			t.Fatal(err)
		}
		want := "no path call in the trace was given the path " + replay.Printable(path) + "; a call on it was given " + replay.Printable(as)
		if why := src.WhyNone(); len(why) != 1 || why[0] != want {
			t.Errorf("%q, want %q", why, want)
		}
		if tried == 20 {
			return
		}
	}
	if tried == 0 {
		t.Error("every path that calls led to was given")
	}
}
