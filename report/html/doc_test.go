// SPDX-License-Identifier: Apache-2.0

package html

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// docs/page.md documents every field of the value and every column of its tables.
func TestDocumentedFields(t *testing.T) {
	doc, err := os.ReadFile("../../docs/page.md")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteJSON(&out, "run1.pb", opener(sample(t, "../../traces/run1.pb"))); err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range all {
		row := ""
		for line := range strings.Lines(string(doc)) {
			if first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |"); strings.Contains(first, "`"+name+"`") {
				row = line
			}
		}
		if row == "" {
			t.Errorf("docs/page.md has no %s", name)
		}
		var columns map[string][]any
		if name != "summary" && name != "verdicts" && json.Unmarshal(value, &columns) == nil {
			for column := range columns {
				if !strings.Contains(row, "`"+column+"`") {
					t.Errorf("docs/page.md: %s has no %s", name, column)
				}
			}
		}
	}
	if len(all) < 12 {
		t.Errorf("%d fields", len(all))
	}
}
