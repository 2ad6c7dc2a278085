// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/report"
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

// The help names the kinds of claim whose verdicts are not compared as they are.
func TestDiffHelpNamesTheClaimsLeftOut(t *testing.T) {
	_, words, _ := strings.Cut(newDiffCmd().Long, "\nOf claims,")
	words, _, _ = strings.Cut(words, "\n\n")
	for _, k := range report.Kinds() {
		if of := strings.Contains(words, k.Name); of != (k.Alone || k.Later) {
			t.Errorf("%s: alone %t, later %t, named %t in: %s", k.Name, k.Alone, k.Later, of, words)
		}
	}
}
