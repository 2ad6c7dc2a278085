// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"testing"

	"github.com/dtrec/dtrec/internal/golden"
)

// The rules in docs/answers.md are those of the code. DTREC_UPDATE=1 writes them anew.
func TestDocumentedRulesAreThoseOfTheCode(t *testing.T) {
	want := ""
	for _, r := range Rules {
		want += fmt.Sprintf("| %s | %s |\n", r.Name, r.Says)
	}
	golden.Block(t, "../../docs/answers.md", `(\| rule \| what stands out \|\n\|---\|---\|\n)(.*)()`, want)
}
