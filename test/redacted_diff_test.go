// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/cli"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// TestRedactedDiff checks that diff gives the same answer for two redactions as for the traces: a
// process id in a name is not a difference, and another name is, although every token looks made up.
func TestRedactedDiff(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("sixteen bytes are enough"), 0o600); err != nil {
		t.Fatal(err)
	}
	const pid, comm = 1000, "ps"
	for _, c := range []struct {
		name  string
		other tracetest.Machine
		does  func(k *tracetest.Kernel, run int)
		code  int
	}{
		{"a process's number", tracetest.Machine{PIDs: 77, RunID: "another-run-0123"}, func(k *tracetest.Kernel, run int) {
			k.Task(pid, comm)
			k.Open(true, "proc", fmt.Sprint(pid+77*run), "stat")
		}, 0},
		{"another file", tracetest.Machine{RunID: "another-run-0123"}, func(k *tracetest.Kernel, run int) {
			k.Task(pid, comm)
			k.Create("tmp", []string{"settings", "contents"}[run])
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var plain, shared []string
			for run, m := range []tracetest.Machine{{}, c.other} {
				b, err := m.Bytes(7, func(k *tracetest.Kernel) { c.does(k, run) })
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "run.pb")
				if err := os.WriteFile(file, b, 0o600); err != nil {
					t.Fatal(err)
				}
				plain, shared = append(plain, file), append(shared, file+".shared")
				var said bytes.Buffer
				if code := cli.Run([]string{"redact", "--key", key, "-o", file + ".shared", file}, strings.NewReader(""), &said, &said); code != 0 {
					t.Fatalf("exit %d: %s", code, said.String())
				}
			}
			for _, files := range [][]string{plain, shared} {
				var said bytes.Buffer
				if code := cli.Run([]string{"diff", files[0], files[1]}, strings.NewReader(""), &said, &said); code != c.code {
					t.Errorf("diff of %s: exit %d, want %d: %s", files[0], code, c.code, said.String())
				}
			}
		})
	}
}
