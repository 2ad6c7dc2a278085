// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/dtrec/dtrec/export"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

func traces(t *testing.T) []string {
	t.Helper()
	return tracetest.FileNames(t, "../../traces/*.pb")
}

// table returns a table of a recording as package export yields it, and the kernel release.
func table(t *testing.T, file, name string) (kernel string, rows []map[string]any) {
	t.Helper()
	trace, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	src, err := schema.NewReader(bytes.NewReader(trace), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	all := export.Tables()
	it := all[slices.IndexFunc(all, func(one export.Table) bool { return one.Name == name })]
	err = it.Read(src, func(values []any) error {
		row := make(map[string]any)
		for i, c := range it.Columns {
			row[c.Name] = values[i]
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return src.Header().GetKernel().GetRelease(), rows
}

// The Parquet files have every row and every value, and no addresses.
func TestTablesReadBack(t *testing.T) {
	d := dataset{dir: t.TempDir(), host: "../up"}
	for _, file := range traces(t) {
		if err := d.add(file); err != nil {
			t.Fatal(err)
		}
		for _, of := range export.Tables() {
			kernel, rows := table(t, file, of.Name)
			var got []map[string]any
			paths, _ := filepath.Glob(filepath.Join(d.dir, of.Name, "host=.._up", "kernel="+kernel, "date=*", "*"))
			if len(paths) != 1 {
				t.Fatal(paths)
			}
			f, err := os.Open(paths[0])
			if err != nil {
				t.Fatal(err)
			}
			r := parquet.NewReader(f)
			for {
				row := make(map[string]any)
				if r.Read(&row) != nil {
					break
				}
				got = append(got, row)
			}
			f.Close()
			if len(got) != len(rows) {
				t.Fatalf("%s: %s: %d rows, want %d", file, of.Name, len(got), len(rows))
			}
			for i, want := range rows {
				for _, c := range of.Columns {
					v, there := got[i][c.Name]
					if c.Address == there && c.Address || !c.Address && fmt.Sprint(v) != fmt.Sprint(want[c.Name]) {
						t.Fatalf("%s: %s.%s of row %d: %v, want %v", file, of.Name, c.Name, i, v, want[c.Name])
					}
				}
			}
		}
	}
	if names, _ := filepath.Glob(filepath.Join(d.dir, "*", "*", "*", "*", ".*")); len(names) > 0 {
		t.Error("left behind: ", names)
	}
}

// A word from a trace becomes a directory name that does not lead elsewhere.
func TestPlain(t *testing.T) {
	for word, want := range map[string]string{"": "unknown", "..": "unknown", ".": "unknown", "a/../b": "a_.._b", "6.12.118+deb13-cloud-amd64": "6.12.118+deb13-cloud-amd64",
		"x\x00y": "x_y", "é": "_", strings.Repeat("x", 300): strings.Repeat("x", 128)} {
		if got := plain(word); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// A file that is not a trace is named in the error output, and the others are written.
func TestFilesThatFail(t *testing.T) {
	dir := t.TempDir()
	var said bytes.Buffer
	cmd := command()
	cmd.SetErr(&said)
	cmd.SetArgs([]string{"-o", dir, traces(t)[0], "main.go", "nosuch.pb"})
	if err := cmd.Execute(); err == nil || err.Error() != "2 of 3 files not written" {
		t.Error(err)
	}
	if want := "dtrec-parquet: main.go: not a dtrec trace\ndtrec-parquet: nosuch.pb: no such file or directory\n"; said.String() != want {
		t.Error(said.String())
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "calls", "*", "*", "*", "*.parquet")); len(names) != 1 {
		t.Error(names)
	}
}

// answer returns the rows of a query in DuckDB.
func answer(t *testing.T, dir, sql string) (rows []map[string]any) {
	t.Helper()
	script, err := filepath.Abs("testdata/query.mjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", script)
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, strings.NewReader(sql), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, sql)
	}
	for line := range strings.Lines(string(out)) {
		row := make(map[string]any)
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// DuckDB, which infers the types of the columns, reads every row of the CSV and NDJSON tables, with the
// same sum.
func TestTextTables(t *testing.T) {
	if os.Getenv("DTREC_READERS") == "" {
		t.Skip("DTREC_READERS is not set: make fleet installs DuckDB and sets it")
	}
	file, dir := "../../traces/run1.pb", t.TempDir()
	for _, of := range export.Tables() {
		_, rows := table(t, file, of.Name)
		for _, format := range export.Formats() {
			read, ok := map[string]string{"csv": "read_csv", "ndjson": "read_json_auto"}[format.Name]
			if !ok {
				continue
			}
			name := of.Name + "." + format.Name
			writeTo(t, filepath.Join(dir, name), file, func(w io.Writer, src *schema.Reader) error {
				return format.Write(w, src, export.Options{Table: of.Name})
			})
			got := answer(t, dir, "SELECT count(*) AS n FROM "+read+"('"+name+"')")
			if len(got) != 1 || number(t, got[0]["n"]) != len(rows) || len(rows) == 0 {
				t.Errorf("%s: %v, want %d rows", name, got, len(rows))
			}
		}
	}
	want := 0
	_, calls := table(t, file, "calls")
	for _, c := range calls {
		if n, ok := c["took_ns"].(uint64); ok {
			want += int(n)
		}
	}
	for _, source := range []string{"read_csv('calls.csv')", "read_json_auto('calls.ndjson')"} {
		got := answer(t, dir, "SELECT sum(took_ns)::BIGINT AS n FROM "+source)
		if len(got) != 1 || number(t, got[0]["n"]) != want || want == 0 {
			t.Errorf("%s: %v, want %d", source, got, want)
		}
	}
}

// writeTo writes an export of a trace to a file.
func writeTo(t *testing.T, to, trace string, write func(io.Writer, *schema.Reader) error) {
	t.Helper()
	src := tracetest.Open(t, trace)
	var out bytes.Buffer
	if err := errors.Join(write(&out, src), os.WriteFile(to, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// queriesOf returns the queries in docs/fleet.md.
func queriesOf(t *testing.T) (queries []string) {
	t.Helper()
	doc, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		queries = append(queries, q[1])
	}
	if len(queries) != 4 {
		t.Fatalf("%d queries", len(queries))
	}
	return queries
}

// DuckDB's answers to the queries of docs/fleet.md agree with sums over the tables of package export.
func TestQueries(t *testing.T) {
	if os.Getenv("DTREC_READERS") == "" {
		t.Skip("DTREC_READERS is not set: make fleet installs DuckDB and sets it")
	}
	queries := queriesOf(t)
	dir := t.TempDir()
	d := dataset{dir: filepath.Join(dir, "fleet"), host: "here"}
	want := make([]map[string]int, len(queries)) // for each query: the count of each group
	for i := range want {
		want[i] = make(map[string]int)
	}
	for _, file := range traces(t) {
		if err := d.add(file); err != nil {
			t.Fatal(err)
		}
		kernel, objects := table(t, file, "objects")
		for _, o := range objects {
			if path, _ := o["path"].(string); o["negative"] == true && o["fate"] == "alive" {
				if at := strings.LastIndexByte(path, '/'); at >= 0 {
					path = path[:at]
				}
				want[0][kernel+" "+path]++
			}
		}
		_, calls := table(t, file, "calls")
		for _, c := range calls {
			if c["errno"] != nil {
				want[1][fmt.Sprint(c["errno"], " ", c["program"])]++
			}
			if c["took_ns"] != nil {
				want[2][kernel+" "+fmt.Sprint(c["class"])]++
			}
		}
		_, verdicts := table(t, file, "verdicts")
		for _, v := range verdicts {
			if v["verdict"] == "proven" {
				want[3][fmt.Sprint(v["kind"], " ", kernel)]++
			}
		}
	}
	for i, by := range [][3]string{{"kernel", "dir", "negatives"}, {"errno", "program", "calls"}, {"kernel", "class", "calls"}, {"kind", "kernel", "proven"}} {
		holds(t, answer(t, dir, queries[i]), by, want[i])
	}
}

// holds compares the groups of an answer. Two columns name a group, and the third one has its count.
func holds(t *testing.T, rows []map[string]any, by [3]string, want map[string]int) {
	t.Helper()
	got := make(map[string]int)
	for _, row := range rows {
		got[fmt.Sprint(row[by[0]], " ", row[by[1]])] = number(t, row[by[2]])
	}
	for key, n := range got {
		if want[key] != n {
			t.Errorf("%s: %d, want %d", key, n, want[key])
		}
	}
	if len(got) == 0 || len(want) <= 20 && len(got) < len(want) {
		t.Errorf("%v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// number converts a BIGINT, which DuckDB returns as a string.
func number(t *testing.T, v any) (n int) {
	if _, err := fmt.Sscan(fmt.Sprint(v), &n); err != nil {
		t.Errorf("%v: %v", v, err)
	}
	return n
}
