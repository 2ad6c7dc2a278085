// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/dtrec/dtrec/export"
	"github.com/dtrec/dtrec/schema"
)

// TestFormatsTable writes the table in docs/exports.md: bytes and CPU seconds of each format for the git
// session and for a million generated events. make formats sets DTREC_FORMATS.
func TestFormatsTable(t *testing.T) {
	if os.Getenv("DTREC_FORMATS") == "" {
		t.Skip("DTREC_FORMATS is not set: make formats sets it")
	}
	generated := filepath.Join(t.TempDir(), "million.pb")
	million(t, generated, 0)
	traces := []string{"../../test/git.pb", generated}
	out := "| format | git session, bytes | s | a million events, bytes | s |\n|---|--:|--:|--:|--:|\n"
	add := func(name string, measure func(trace string) (int64, float64)) {
		out += "| " + name
		for _, trace := range traces {
			bytes, seconds := measure(trace)
			out += fmt.Sprintf(" | %d | %.3f", bytes, seconds)
		}
		out += " |\n"
	}
	add("the trace itself, read", func(trace string) (int64, float64) { return exportOf(t, trace, read) })
	for _, f := range export.Formats() {
		for _, o := range optionsOf(f.Name) {
			write := func(w io.Writer, src *schema.Reader) error { return f.Write(w, src, o) }
			add(strings.TrimSpace("`"+f.Name+"` "+o.Table), func(trace string) (int64, float64) { return exportOf(t, trace, write) })
		}
	}
	add("Parquet, the four tables", func(trace string) (int64, float64) {
		dir, before := t.TempDir(), cpu()
		if err := (&dataset{dir: dir, host: "here"}).add(trace); err != nil {
			t.Fatal(err)
		}
		return sizeOf(t, dir, ".parquet"), cpu() - before
	})
	const page = "../../docs/exports.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	between := regexp.MustCompile(`(?s)(<!-- made by make formats -->\n).*(<!-- end -->)`)
	if err := os.WriteFile(page, between.ReplaceAll(text, []byte("${1}"+out+"${2}")), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out)
}

func optionsOf(format string) []export.Options {
	if format != "csv" {
		return []export.Options{{}}
	}
	var all []export.Options
	for _, table := range export.Tables() {
		all = append(all, export.Options{Table: table.Name})
	}
	return all
}

// read reads the events and writes nothing.
func read(w io.Writer, src *schema.Reader) error {
	for {
		if _, err := src.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// exportOf returns the bytes that a format writes, or the size of the trace if it writes none, and the CPU
// seconds.
func exportOf(t *testing.T, trace string, write func(io.Writer, *schema.Reader) error) (int64, float64) {
	t.Helper()
	in, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	src, err := schema.NewReader(in, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var n counted
	before := cpu()
	if err := write(&n, src); err != nil {
		t.Fatal(err)
	}
	took := cpu() - before
	if n == 0 {
		info, err := in.Stat()
		if err != nil {
			t.Fatal(err)
		}
		n = counted(info.Size())
	}
	return int64(n), took
}

type counted int64

func (n *counted) Write(p []byte) (int, error) { *n += counted(len(p)); return len(p), nil }

// cpu returns the CPU time used by this process so far, in seconds.
func cpu() float64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // cannot fail for RUSAGE_SELF
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}
