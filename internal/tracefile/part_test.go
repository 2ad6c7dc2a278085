// SPDX-License-Identifier: Apache-2.0

package tracefile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestParts checks that Parts and PartPattern find the names that PartName makes, and no others,
// whatever characters are in the path.
func TestParts(t *testing.T) {
	for _, name := range []string{"run.pb", "run", "a*b?[c].d.pb", `back\slash.pb`, ".pb"} {
		path := filepath.Join(t.TempDir(), name)
		for _, n := range []int{1, 12, 1234567} {
			if err := os.WriteFile(PartName(path, n), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if ok, err := filepath.Match(filepath.Base(PartPattern(path)), filepath.Base(PartName(path, n))); !ok || err != nil {
				t.Errorf("%s does not match %s: %v", PartName(path, n), PartPattern(path), err)
			}
		}
		for _, other := range []string{path, path + ".000001", PartName(path, 0), PartName(path+".1", 1), PartName(path, 1) + "x"} {
			if err := os.WriteFile(other, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := Parts(path); err != nil || !slices.Equal(got, []int{1, 12, 1234567}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
