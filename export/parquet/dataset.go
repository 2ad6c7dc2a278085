// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dtrec/dtrec/export"
	"github.com/dtrec/dtrec/schema"
	"github.com/parquet-go/parquet-go"
)

// dataset is a directory of partitioned tables, with the name of the host whose recordings are added.
type dataset struct {
	dir, host string
}

// add writes the tables of one recording, reading it once for each. It returns an error of the files or of
// the trace. A table that this run already has is replaced only when the new one is complete.
func (d *dataset) add(file string) error {
	for _, t := range export.Tables() {
		if err := d.table(t, file); err != nil {
			return err
		}
	}
	return nil
}

func (d *dataset) table(t export.Table, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	src, err := schema.NewReader(bufio.NewReaderSize(in, 64<<10), 0)
	if err != nil {
		return err
	}
	defer src.Close()
	h := src.Header()
	dir := filepath.Join(d.dir, t.Name, "host="+plain(d.host), "kernel="+plain(h.GetKernel().GetRelease()), "date="+date(h))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	out, err := os.CreateTemp(dir, ".*.part")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) // after success it has been renamed, and this does nothing
	err = write(out, t, src)
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(out.Name(), filepath.Join(dir, fmt.Sprintf("%x.parquet", h.RunId)))
}

// plain turns a word from a trace or from the user into the name of a directory that cannot lead elsewhere.
func plain(word string) string {
	word = strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '.' || r == '-' || r == '+' || r == '~' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '_'
	}, word)
	if word == "" || strings.Trim(word, ".") == "" {
		return "unknown"
	}
	return word[:min(len(word), 128)]
}

// date returns the UTC date of the start of the recording, or "unknown".
func date(h *schema.Header) string {
	if h.StartUnixNs == 0 {
		return "unknown"
	}
	return time.Unix(0, h.StartUnixNs).UTC().Format(time.DateOnly)
}

// maxRows is the size of a row group, which bounds the memory for a table.
const maxRows = 1 << 16

// write writes a table with an additional column run, the run's id in hexadecimal, and without the columns
// that hold addresses.
func write(out *os.File, t export.Table, src *schema.Reader) error {
	group := parquet.Group{"run": parquet.String()}
	for _, c := range t.Columns {
		if !c.Address {
			group[c.Name] = parquet.Optional(node(c.Type))
		}
	}
	s := parquet.NewSchema(t.Name, group)
	place := make(map[string]int) // by column name: its index in Parquet, where the columns have another order
	for i, c := range s.Columns() {
		place[c[0]] = i
	}
	w := parquet.NewWriter(out, s, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(maxRows))
	run := parquet.ByteArrayValue(fmt.Appendf(nil, "%x", src.Header().RunId)).Level(0, 0, place["run"])
	row := make(parquet.Row, len(group))
	err := t.Read(src, func(values []any) error {
		row[place["run"]] = run
		for i, c := range t.Columns {
			if at, kept := place[c.Name]; kept {
				row[at] = value(values[i], at)
			}
		}
		_, err := w.WriteRows([]parquet.Row{row})
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}

func node(t export.Type) parquet.Node {
	switch t {
	case export.Number:
		return parquet.Int(64) // no number in a trace exceeds it, and every reader supports it
	case export.Flag:
		return parquet.Leaf(parquet.BooleanType)
	}
	return parquet.String()
}

// value converts the value of a column; nil becomes null.
func value(v any, column int) parquet.Value {
	switch v := v.(type) {
	case string:
		return parquet.ByteArrayValue([]byte(v)).Level(0, 1, column)
	case uint64:
		return parquet.Int64Value(int64(v)).Level(0, 1, column)
	case bool:
		return parquet.BooleanValue(v).Level(0, 1, column)
	}
	return parquet.NullValue().Level(0, 0, column)
}
