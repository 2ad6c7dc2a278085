// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Converting DTREC_FLEET recordings of a million events each takes as much memory as converting one. The
// time of DuckDB's answers is logged. make fleet-millions sets DTREC_FLEET; each recording takes some ten
// seconds.
func TestMillions(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("DTREC_FLEET"))
	if err != nil {
		t.Skip("DTREC_FLEET is no number of recordings: make fleet-millions sets it")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "dtrec-parquet")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var files []string
	begun := time.Now()
	for i := range n {
		files = append(files, filepath.Join(dir, fmt.Sprintf("run%d.pb", i)))
		million(t, files[i], i)
	}
	t.Logf("%d recordings of a million events generated in %.0f s: %d bytes", n, time.Since(begun).Seconds(), sizeOf(t, dir, ".pb"))
	one := convert(t, program, filepath.Join(dir, "one"), files[:1])
	all := convert(t, program, filepath.Join(dir, "fleet"), files)
	t.Logf("%d bytes of Parquet", sizeOf(t, filepath.Join(dir, "fleet"), ".parquet"))
	if all > one+one/4+(16<<20) {
		t.Errorf("%d recordings take %d MiB, one takes %d", n, all>>20, one>>20)
	}
	if os.Getenv("DTREC_READERS") == "" {
		return
	}
	for _, q := range queriesOf(t) {
		begun := time.Now()
		rows := answer(t, dir, q)
		t.Logf("%.1f s for %d rows: %s", time.Since(begun).Seconds(), len(rows), strings.Join(strings.Fields(q), " ")[:60])
	}
}

// million writes a recording of a million events. The release is one of ten, by i.
func million(t *testing.T, file string, i int) {
	t.Helper()
	m := tracetest.Machine{Release: fmt.Sprintf("6.%d.0-test", 1+i%10), RunID: fmt.Sprintf("run %012d", i), Base: uint64(i) << 24, PIDs: uint32(i), Clock: int64(i) * 1e15}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := schema.NewWriter(f, m.Header())
	if err != nil {
		t.Fatal(err)
	}
	m.Generate(1_000_000, func(e *schema.Event) {
		if err == nil {
			err = w.Append(e)
		}
	})
	if err == nil {
		err = w.Close(&schema.Footer{EndNs: 1 << 50, EndedBy: "command"})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// convert runs dtrec-parquet and returns its peak memory in bytes.
func convert(t *testing.T, program, to string, files []string) int64 {
	t.Helper()
	cmd := exec.Command(program, append([]string{"-o", to}, files...)...)
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	most := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	t.Logf("%d recordings: %.0f s, %.0f s of CPU, at most %d MiB", len(files), time.Since(begun).Seconds(), cpu.Seconds(), most>>20)
	return most
}

func sizeOf(t *testing.T, dir, ext string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ext {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
