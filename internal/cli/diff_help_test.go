// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"
)

// Two recordings of one script can differ by a race, and the names of a directory in their order are no difference: the
// help says neither otherwise.
func TestDiffHelpIsTrueOfOneKernel(t *testing.T) {
	help := strings.Join(strings.Fields(newDiffCmd().Long), " ")
	for _, want := range []string{"are the same, but for what follows from a race", "the order of threads and of the names in a directory"} {
		if !strings.Contains(help, want) {
			t.Errorf("no %q in:\n%s", want, help)
		}
	}
}
