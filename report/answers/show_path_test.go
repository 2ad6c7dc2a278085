// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// What became of a dentry that had a path is told from its events. If they do not tell, its path is shown
// as the directories above it are named now.
func TestWhatBecameOfAPath(t *testing.T) {
	for want, d := range map[string]replay.Object{
		"D7 had it; killed at #20":                                     {Killed: 20, Deleted: 18},
		"D7 had it; deleted at #18":                                    {Deleted: 18},
		"D7 had it; moved, or another moved to its place, last at #17": {Moved: 17},
		"D7 had it; taken out of the hash table at #16":                {Dropped: 16},
		"D7 had it; at …/x by the last event that shows its place":     {Dropped: 3, Moved: 2},
		"D7 had it; what became of it is not remembered":               {Forgotten: true, Moved: 17},
	} {
		d.Seq, d.Name, d.Parent = 7, "x", 0x1000
		q := pathOf("/a/x")
		for id := range uint64(2) { // the second call adds nothing
			q.call(replay.NewModel(tracetest.Header()), &replay.PathCall{ID: 10 + 2*id, End: 11 + 2*id, Operation: "open", Path: "/a/x", Resolved: "/a/x", Dentry: &d, Inode: 1})
		}
		s := q.sections()
		if len(s) == 0 || len(s[0].Lines) != 1 || s[0].Lines[0].Text != want || s[0].Lines[0].ID != 11 { // the return, as no lookup showed it
			t.Errorf("%+v, want %s", s, want)
		}
	}
}

// A dentry whose name was deleted and made again was several files.
func TestOneDentryOfSeveralFiles(t *testing.T) {
	d := replay.Object{Seq: 7, Name: "x", Parent: 0x1000, Deleted: 30}
	q := pathOf("/a/x")
	for id, inode := range []uint64{5, 5, 9, 5} {
		q.call(replay.NewModel(tracetest.Header()), &replay.PathCall{ID: 10 + uint64(id), End: 20, Operation: "open", Path: "/a/x", Resolved: "/a/x", Dentry: &d, Inode: inode})
	}
	if s := q.sections(); s[0].Lines[0].Text != "D7 had it, with 3 inodes in turn; deleted at #30" {
		t.Errorf("%+v", s[0])
	}
}

// A call counts as on the path if the last component it was given was looked up there, even if that was a
// link elsewhere or the path was given relative to another directory, but not if the walk did not get that
// far.
func TestCallsOnAPathHoweverGiven(t *testing.T) {
	link := []replay.Component{{Name: "a", ID: 11, Parent: 0x1000, Link: true}, {Name: "z", ID: 12, Parent: 0x1000, OffPath: true}}
	for given, c := range map[string]struct {
		of []replay.Component
		is bool
	}{
		"a":     {link, true},
		"./a":   {link, true},
		"../a":  {link, true},
		"a/b":   {link, false},
		"a/a":   {link, false}, // the walk stopped at the first a
		"b/a":   {[]replay.Component{{Name: "b", ID: 11, Parent: 0x1000}, {Name: "a", ID: 12, Parent: 0x1000}}, true},
		"b":     {[]replay.Component{{Name: "b", ID: 11, Parent: 0x1000}}, false},
		"b/../": {[]replay.Component{{Name: "b", ID: 11, Parent: 0x1000}}, false},
	} {
		q := pathOf("…/a")
		q.call(replay.NewModel(tracetest.Header()), &replay.PathCall{ID: 10, End: 13, Operation: "open", Path: given, Resolved: "…/z", Components: c.of})
		if s := q.sections(); (len(s) > 0 && strings.HasPrefix(s[0].Title, "1 call on ")) != c.is {
			t.Errorf("%s: %+v, want one of it: %t", given, s, c.is)
		}
	}
}
