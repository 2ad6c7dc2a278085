// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"

	"github.com/dtrec/dtrec/replay"
)

// A directory whose dentry was evicted may have been renamed before it was looked up again, with another
// one renamed to its name. Seed 2530166772 of the random model did both.
func TestEvictionWantsOneDirectory(t *testing.T) {
	dir := &replay.Object{Name: "a", First: 1, Killed: 5}
	for _, test := range []struct {
		what     string
		old, now *replay.Object
		want     bool // they are known to be two
	}{
		{"one directory", dir, dir, false},
		{"another dentry of its name, after it was killed", dir, &replay.Object{Name: "a", First: 6, Born: 6}, false},
		{"one that was there beside it", dir, &replay.Object{Name: "a", First: 2}, true},
		{"one of another name", dir, &replay.Object{Name: "b", First: 6}, true},
		{"one that came after it was deleted", &replay.Object{Name: "a", First: 1, Deleted: 4, Killed: 5}, &replay.Object{Name: "a", First: 6}, true},
		{"a directory that is not known", nil, dir, false},
	} {
		if got := apart(test.old, test.now); got != test.want {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
	}
}
