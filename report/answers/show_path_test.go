// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// What became of a dentry that had a path is told by its events; where there is none, its path is what the directories above are called now.
func TestWhatBecameOfAPath(t *testing.T) {
	for want, d := range map[string]replay.Object{
		"D7 had it; killed at #20":                                     {Killed: 20, Deleted: 18},
		"D7 had it; deleted at #18":                                    {Deleted: 18},
		"D7 had it; moved, or another moved to its place, last at #17": {Moved: 17},
		"D7 had it; taken out of the hash table at #16":                {Dropped: 16},
		"D7 had it; at …/x by the last event that tells":               {Dropped: 3, Moved: 2},
		"D7 had it; what became of it is not remembered":               {Forgotten: true, Moved: 17},
	} {
		d.Seq, d.Name, d.Parent = 7, "x", 0x1000
		q := pathOf("/a/x")
		for id := range uint64(2) { // told once
			q.call(replay.NewModel(tracetest.Header()), &replay.PathCall{ID: 10 + 2*id, End: 11 + 2*id, Operation: "open", Path: "/a/x", Resolved: "/a/x", Dentry: &d, Inode: 1})
		}
		s := q.sections()
		if len(s) == 0 || len(s[0].Lines) != 1 || s[0].Lines[0].Text != want || s[0].Lines[0].ID != 10 {
			t.Errorf("%+v, want %s", s, want)
		}
	}
}
