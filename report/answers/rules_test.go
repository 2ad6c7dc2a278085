// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The rules in docs/answers.md are those of the code. DTREC_UPDATE=1 writes them anew.
func TestDocumentedRulesAreThoseOfTheCode(t *testing.T) {
	const file, mark = "../../docs/answers.md", "| rule | what stands out |\n|---|---|\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	intro, table, found := strings.Cut(string(page), mark)
	if !found {
		t.Fatalf("%s has no %q", file, mark)
	}
	want := ""
	for _, r := range Rules {
		want += fmt.Sprintf("| %s | %s |\n", r.Name, r.Says)
	}
	if os.Getenv("DTREC_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(intro+mark+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != want {
		t.Errorf("%s has\n%s\nthe code has\n%s", file, table, want)
	}
}
