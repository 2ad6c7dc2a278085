// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// A role stands once, in schema's catalogue. The enum of trace.proto, the table of FORMAT.md
// and the enum of the C are written from it: DTREC_UPDATE=1 go test -run RolesStandOnce .,
// and then make generate.
func TestRolesStandOnce(t *testing.T) {
	var proto, format, c strings.Builder
	for _, info := range schema.Catalogue() {
		name := "ROLE_" + strings.ToUpper(info.Name)
		fmt.Fprintf(&proto, "  %s = %d; // %s\n", name, info.Role, info.Doc)
		fmt.Fprintf(&format, "| %d | `%s` | %s | %s | %s |\n", info.Role, name, columns(info.Enter), columns(info.Exit), info.Doc)
		if info.Enter != nil || info.Exit != nil {
			fmt.Fprintf(&c, "\t%s = %d,\n", name, info.Role)
		}
	}
	hold(t, "schema/trace.proto", `(?s)(enum Role \{\n  ROLE_UNSPECIFIED = 0;\n)(.*?)(\})`, proto.String())
	hold(t, "schema/FORMAT.md", "(?s)(\\| 0 \\| `ROLE_UNSPECIFIED` [^\n]*\n)((?:\\| [0-9]+ \\| `ROLE_[^\n]*\n)*)()", format.String())
	hold(t, "bpf/record.h", `(?s)(enum role \{\n)(.*?)(\};)`, c.String())
}

// columns are those of a phase, by their names in the proto.
func columns(s *schema.Shape) string {
	var out []string
	switch {
	case s == nil:
		return "–"
	case s.Columns == 0:
		return "none"
	}
	for i := range int32(len(schema.Column_name)) {
		if s.Columns.Has(schema.Column(i)) {
			out = append(out, strings.TrimPrefix(schema.Column_name[i], "COLUMN_"))
		}
	}
	return strings.Join(out, " ")
}

// hold compares what stands between two places of a file, and with DTREC_UPDATE writes it.
func hold(t *testing.T, file, place, want string) {
	t.Helper()
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := regexp.MustCompile(place).FindSubmatchIndex(old)
	if at == nil {
		t.Fatalf("%s: no %s", file, place)
	}
	if bytes.Equal(old[at[4]:at[5]], []byte(want)) {
		return
	}
	if os.Getenv("DTREC_UPDATE") == "" {
		t.Fatalf("%s: the roles are not those of the catalogue; DTREC_UPDATE=1 writes them", file)
	}
	out := string(old[:at[4]]) + want + string(old[at[5]:])
	if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
		t.Fatal(err)
	}
}
