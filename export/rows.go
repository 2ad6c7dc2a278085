// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/dtrec/dtrec/replay"
)

// tableNamed returns the table with the name; calls if the name is empty.
func tableNamed(name string) (Table, error) {
	for _, t := range Tables() {
		if t.Name == name || name == "" {
			return t, nil
		}
	}
	return Table{}, fmt.Errorf("no table %q", name)
}

var _ = register(Format{"csv", "a table with a line of headings, as RFC 4180 has it", false, writeCSV})

func writeCSV(w io.Writer, src replay.Source, o Options) error {
	t, err := tableNamed(o.Table)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	cells := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		cells[i] = c.Name
	}
	if err := out.Write(cells); err != nil {
		return err
	}
	err = t.Read(src, func(row []any) error {
		for i, v := range row {
			cells[i] = cell(v)
		}
		return out.Write(cells)
	})
	out.Flush()
	if err != nil {
		return err
	}
	return out.Error()
}

func cell(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case uint64:
		return strconv.FormatUint(v, 10)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

var _ = register(Format{"ndjson", "a table, a JSON object a line", false, writeNDJSON})

// writeNDJSON writes one object for each row, without the columns that are nil.
func writeNDJSON(w io.Writer, src replay.Source, o Options) error {
	t, err := tableNamed(o.Table)
	if err != nil {
		return err
	}
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = strconv.Quote(c.Name) + ":"
	}
	out := bufio.NewWriterSize(w, 64<<10)
	err = t.Read(src, func(row []any) error {
		sep := byte('{')
		for i, v := range row {
			if v == nil {
				continue
			}
			value, err := json.Marshal(v)
			if err != nil {
				return err
			}
			out.WriteByte(sep)
			out.WriteString(names[i])
			out.Write(value)
			sep = ','
		}
		_, err := out.WriteString("}\n")
		return err
	})
	if err != nil {
		out.Flush()
		return err
	}
	return out.Flush()
}
