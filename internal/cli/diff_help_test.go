// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/report"
)

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
