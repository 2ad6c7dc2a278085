// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

func traces(t *testing.T) map[string][]byte {
	t.Helper()
	out := make(map[string][]byte)
	for f, b := range tracetest.Files(t, "../traces/*.pb", "../test/cases/*.pb", "../test/random/run.pb") {
		out[f] = b
	}
	return out
}

func exported(t testing.TB, trace []byte, format string, o Options) []byte {
	t.Helper()
	i := slices.IndexFunc(Formats(), func(f Format) bool { return f.Name == format })
	var out bytes.Buffer
	if err := Formats()[i].Write(&out, tracetest.Read(t, trace), o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// lines returns the objects that dtrec replay --format json prints, with which the exports are compared.
func lines(t *testing.T, trace []byte) (out []map[string]any) {
	t.Helper()
	var text bytes.Buffer
	if _, err := replay.Print(&text, tracetest.Read(t, trace), &replay.Filter{}, replay.NewJSON()); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(&text); s.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		out = append(out, line)
	}
	return out
}

// rows reads a table as CSV and checks that NDJSON has the same rows.
func rows(t *testing.T, trace []byte, table string) (out []map[string]string) {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(exported(t, trace, "csv", Options{Table: table}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	objects := json.NewDecoder(bytes.NewReader(exported(t, trace, "ndjson", Options{Table: table})))
	objects.UseNumber()
	for _, cells := range all[1:] {
		row, object := make(map[string]string), make(map[string]any)
		if err := objects.Decode(&object); err != nil {
			t.Fatal(err)
		}
		for i, name := range all[0] {
			row[name] = cells[i]
			if v, there := object[name]; fmt.Sprint(v) != cells[i] && (there || cells[i] != "") {
				t.Errorf("%s: %s is %q as CSV, %v as NDJSON", table, name, cells[i], v)
			}
		}
		out = append(out, row)
	}
	if err := objects.Decode(new(any)); err != io.EOF {
		t.Errorf("%s: NDJSON has more rows: %v", table, err)
	}
	return out
}

// shown is what the events show of opens and dentries.
type shown struct {
	opens    map[string]string // paths by event id
	errnos   map[string]int
	dentries map[string]bool
}

func shownBy(t *testing.T, trace []byte) shown {
	t.Helper()
	s := shown{make(map[string]string), make(map[string]int), make(map[string]bool)}
	for _, l := range lines(t, trace) {
		if l["role"] == "open" && l["phase"] == "enter" && l["exec"] == nil { // the open within an execve is part of the exec call
			path := fmt.Sprint(l["name"])
			if raw, ok := l["name_hex"].(string); ok {
				b, _ := hex.DecodeString(raw)
				path = string(b)
			}
			s.opens[fmt.Sprint(l["id"])] = replay.Printable(path)
		}
		if l["role"] == "open" && l["phase"] == "exit" && l["errno"] != nil && l["stray"] == nil && l["exec"] == nil {
			s.errnos[fmt.Sprint(l["errno"])]++
		}
		if d, ok := l["object"].(string); ok {
			s.dentries[d] = true
		}
	}
	return s
}

// The tables have the calls and dentries that the events show.
func TestTablesAreTheEvents(t *testing.T) {
	for name, trace := range traces(t) {
		want := shownBy(t, trace)
		opens := 0
		for _, row := range rows(t, trace, "calls") {
			if path, ok := want.opens[row["id"]]; ok {
				opens++
				if path != row["path"] {
					t.Errorf("%s: #%s is %s, want %s", name, row["id"], row["path"], path)
				}
				if row["errno"] != "" {
					want.errnos[row["errno"]]--
				}
			}
		}
		if opens != len(want.opens) {
			t.Errorf("%s: %d of %d opens", name, opens, len(want.opens))
		}
		for errno, left := range want.errnos {
			if left != 0 {
				t.Errorf("%s: %d × %s differ", name, left, errno)
			}
		}
		seen := make(map[string]bool)
		for _, row := range rows(t, trace, "objects") {
			if seen[row["object"]] {
				t.Errorf("%s: %s twice", name, row["object"])
			}
			seen[row["object"]] = true
		}
		for d := range want.dentries {
			if !seen[d] {
				t.Errorf("%s: no %s", name, d)
			}
		}
	}
}

// The number of verdicts of each kind is that of dtrec check.
func TestVerdictsAreTheClaims(t *testing.T) {
	for name, trace := range traces(t) {
		f, err := report.Judge(tracetest.Read(t, trace), report.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]uint64)
		for _, row := range rows(t, trace, "verdicts") {
			got[row["kind"]+row["verdict"]]++
			if (row["verdict"] == "proven") != (row["reason"] == "") {
				t.Errorf("%s: %v", name, row)
			}
		}
		for _, k := range report.Kinds() {
			for _, v := range []report.Verdict{report.Proven, report.Refuted, report.Unproven} {
				if f.Void == nil && got[k.Name+v.String()] != f.Tally[k.Kind][v] {
					t.Errorf("%s: %d × %s %s, want %d", name, got[k.Name+v.String()], v, k.Name, f.Tally[k.Kind][v])
				}
			}
		}
	}
}

// Every value has the type of its column, and only columns marked as such contain addresses.
func TestColumns(t *testing.T) {
	address := regexp.MustCompile(`0x[0-9a-f]{16}`)
	for name, trace := range traces(t) {
		for _, table := range Tables() {
			err := table.Read(tracetest.Read(t, trace), func(row []any) error {
				for i, v := range row {
					c := table.Columns[i]
					ok := v == nil
					switch v := v.(type) {
					case string:
						ok = c.Type == Text && (c.Address || c.Name == "reason" || !address.MatchString(v))
					case uint64:
						ok = c.Type == Number
					case bool:
						ok = c.Type == Flag
					}
					if !ok {
						t.Errorf("%s: %s.%s is %v", name, table.Name, c.Name, v)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The library parses the profile, and each measure, there and in the folded stacks, adds up to its sum over
// the calls.
func TestPprof(t *testing.T) {
	for name, trace := range traces(t) {
		p, err := profile.ParseData(exported(t, trace, "pprof", Options{}))
		if err != nil {
			t.Fatal(name, err)
		}
		sums := make([]uint64, len(Measures()))
		if err := readCalls(tracetest.Read(t, trace), func(c *replay.PathCall) error {
			for i, m := range Measures() {
				sums[i] += m.value(c)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i, m := range Measures() {
			var got int64
			for _, s := range p.Sample {
				got += s.Value[i]
			}
			if p.SampleType[i].Type != m.Name || uint64(got) != sums[i] {
				t.Errorf("%s: %s: %d, want %d", name, m.Name, got, sums[i])
			}
			folded := exported(t, trace, "folded", Options{Measure: m.Name})
			var total uint64
			for line := range strings.Lines(string(folded)) {
				at := strings.LastIndexByte(line, ' ')
				n, err := strconv.ParseUint(strings.TrimSpace(line[at:]), 10, 64)
				if err != nil || n == 0 {
					t.Errorf("%s: %q", name, line)
				}
				total += n
			}
			if total != sums[i] {
				t.Errorf("%s: folded %s: %d, want %d", name, m.Name, total, sums[i])
			}
		}
	}
}

// go tool pprof reads a profile and compares two kernels.
func TestPprofTool(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	dir := t.TempDir()
	all := traces(t)
	for _, name := range []string{"run1", "linux-7.3"} {
		if err := os.WriteFile(filepath.Join(dir, name), exported(t, all["../traces/"+name+".pb"], "pprof", Options{}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		cmd := exec.Command("go", append([]string{"tool", "pprof"}, args...)...)
		cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	one, two := filepath.Join(dir, "run1"), filepath.Join(dir, "linux-7.3")
	if top := run("-top", "-sample_index=failures", one); !regexp.MustCompile(`(?m)^ +\d+ .* t_m\.txt$`).MatchString(top) {
		t.Error(top)
	}
	if diff := run("-top", "-diff_base", one, two); !strings.Contains(diff, "Type: calls") {
		t.Error(diff)
	}
}

// Every format returns the error of the writer and that of the source.
func TestErrors(t *testing.T) {
	trace := traces(t)["../traces/run1.pb"]
	full := errors.New("full")
	for _, f := range Formats() {
		if err := f.Write(failing{full}, tracetest.Read(t, trace), Options{}); !errors.Is(err, full) {
			t.Errorf("%s: %v", f.Name, err)
		}
		if err := f.Write(io.Discard, broken{tracetest.Read(t, trace)}, Options{}); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if err := writeCSV(io.Discard, tracetest.Read(t, trace), Options{Table: "nosuch"}); err == nil {
		t.Error("a table that is none")
	}
	if err := writeFolded(io.Discard, tracetest.Read(t, trace), Options{Measure: "nosuch"}); err == nil {
		t.Error("a measure that is none")
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

var errBroken = errors.New("broken")

// broken is a source that fails after a while.
type broken struct{ *schema.Reader }

func (b broken) Next() (schema.Record, error) {
	r, err := b.Reader.Next()
	if e, ok := r.(*schema.Event); ok && e.ID > 100 {
		return nil, errBroken
	}
	return r, err
}
