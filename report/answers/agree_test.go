// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"path/filepath"
	"testing"
)

// The totals of top are those of the summary, for calls, failures, time and negative dentries. A loader
// that an exec opens (test/git.pb) adds no time to that of the exec.
func TestTopHasInAllWhatTheSummarySays(t *testing.T) {
	for _, pattern := range []string{"../../traces/*.pb", "../../test/git.pb", "../../test/cases/*.pb"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			sum := summarized(t, file)
			total := sum.Total
			all := map[string]uint64{"calls": total.Calls, "failures": total.Failed, "time": total.Took}
			if n := sum.Negatives; n != nil {
				all["negatives"], all["left"] = n.Made, n.Left
			}
			for of, want := range all {
				for _, by := range []string{"program", "path", "fs"} {
					if got := topOf(t, file, of, by).Total; got != want {
						t.Errorf("%s: %s by %s: %d in all, the summary says %d", file, of, by, got, want)
					}
				}
			}
		}
	}
}
