// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dtrec/dtrec/internal/golden"
)

// Every role is defined once, in schema's catalogue. The enum of trace.proto, the table of FORMAT.md and
// the enum in C are generated from it: DTREC_UPDATE=1 go test -run StandOnce ./schema, and then make
// generate.
func TestRolesStandOnce(t *testing.T) {
	var proto, format, c strings.Builder
	var leaves []string
	for _, info := range Catalogue() {
		name := "ROLE_" + strings.ToUpper(info.Name)
		fmt.Fprintf(&proto, "  %s = %d; // %s\n", name, info.Role, info.Doc)
		fmt.Fprintf(&format, "| %d | `%s` | %s | %s | %s |\n", info.Role, name, columns(info.Enter), columns(info.Exit), info.Doc)
		if info.Traits&TraitLeaf != 0 {
			leaves = append(leaves, "`"+name+"`")
		}
		if info.Enter != nil || info.Exit != nil {
			fmt.Fprintf(&c, "\t%s = %d,\n", name, info.Role)
		}
	}
	golden.Block(t, "trace.proto", `(enum Role \{\n  ROLE_UNSPECIFIED = 0;\n)(.*?)(\})`, proto.String())
	golden.Block(t, "FORMAT.md", "(\\| 0 \\| `ROLE_UNSPECIFIED` [^\n]*\n)((?:\\| [0-9]+ \\| `ROLE_[^\n]*\n)*)()", format.String())
	golden.Block(t, "FORMAT.md", `(Leaves are )(.*?)(\.)`, strings.Join(leaves, ", "))
	golden.Block(t, "../bpf/record.h", `(enum role \{\n)(.*?)(\};)`, c.String())
}

// Every column is defined once too, in the table of columns: its number, and the fields of EventBatch that
// events take of it. Written by hand are only the fields of the tables, those of every event, and those
// that have replaced another since version 1.
func TestColumnsStandOnce(t *testing.T) {
	var enum, fields, numbers, format strings.Builder
	rows := slices.Clone(columnTable[:])
	slices.SortFunc(rows, func(a, b column) int { return int(a.number() - b.number()) })
	now := make(map[Column][]string)
	for i := range rows {
		c := &rows[i]
		fmt.Fprintf(&fields, "  repeated %s %s = %d; // %s\n", c.wire[1], c.wire[0], c.number(), c.wire[2])
		fmt.Fprintf(&format, "| %d | `%s` | repeated %s | %s |\n", c.number(), c.wire[0], c.wire[1], c.wire[2])
		name := c.wire[0]
		if c.old != 0 {
			name = string(new(EventBatch).ProtoReflect().Descriptor().Fields().ByNumber(c.field).Name())
		}
		now[c.Column] = append(now[c.Column], "`"+name+"`")
	}
	for i, c := range columnNames {
		fmt.Fprintf(&enum, "  COLUMN_%s = %d;\n", c[0], i)
		fmt.Fprintf(&numbers, "| %d | `COLUMN_%s` | %s |\n", i, c[0], strings.Join(now[Column(i)], " and "))
	}
	golden.Block(t, "trace.proto", `(enum Column \{\n)(.*?)(\})`, enum.String())
	golden.Block(t, "trace.proto", `(Columns that only some kinds take from.\n)(.*?\n)(\n)`, fields.String())
	golden.Block(t, "FORMAT.md", "(\\| 35 \\| `task` [^\n]*\n)(.*?)(\\| 56 )", format.String())
	golden.Block(t, "FORMAT.md", "(bits of `kind_columns`[^\n]*\n\n[^\n]*\n[^\n]*\n)(.*?\n)(\n)", numbers.String())
}

// number returns the field number that a column had first.
func (c *column) number() protowire.Number { return cmp.Or(c.old, c.field) }

// columns returns the columns of a phase by their names in the proto.
func columns(s *Shape) string {
	var out []string
	switch {
	case s == nil:
		return "–"
	case s.Columns == 0:
		return "none"
	}
	for i, c := range columnNames {
		if s.Columns.Has(Column(i)) {
			out = append(out, c[0])
		}
	}
	return strings.Join(out, " ")
}
