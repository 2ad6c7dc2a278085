// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtrec/dtrec/internal/cli"
	"github.com/spf13/cobra"
)

var someTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestManual checks that every command shown in the help has a manual page with its synopsis, the date and
// the version.
func TestManual(t *testing.T) {
	s := stage{dir: t.TempDir(), date: someTime, version: "1.2.3"}
	if s.manual(); s.err != nil {
		t.Fatal(s.err)
	}
	pages := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() && cmd.HasParent() {
			return
		}
		pages++
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
		text := unzip(t, filepath.Join(s.dir, "man", name+".1.gz"))
		for _, want := range []string{cmd.Short, "SYNOPSIS", "Jan 2026", "dtrec 1.2.3"} {
			if !strings.Contains(strings.ReplaceAll(text, `\-`, "-"), want) {
				t.Errorf("%s: without %q", name, want)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(cli.Command())
	if pages < 8 {
		t.Errorf("%d pages", pages)
	}
}

func unzip(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCompletions checks that the installed shells can parse their completions.
func TestCompletions(t *testing.T) {
	s := stage{dir: t.TempDir()}
	if s.completions(); s.err != nil {
		t.Fatal(s.err)
	}
	for shell, file := range map[string]string{"bash": "dtrec.bash", "zsh": "_dtrec", "fish": "dtrec.fish"} {
		file = filepath.Join(s.dir, "completions", file)
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte("dtrec")) {
			t.Errorf("%s: %v, %d bytes", shell, err, len(text))
		}
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		if out, err := exec.Command(shell, "-n", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", shell, err, out)
		}
	}
}

// TestArchiveSaysNothingOfItsMaker checks that the archive depends on the content of the files, not on their
// times, modes or order of creation.
func TestArchiveSaysNothingOfItsMaker(t *testing.T) {
	archive := func(content string, mode os.FileMode, order ...string) string {
		s := stage{dir: t.TempDir(), date: someTime}
		for _, name := range order {
			file := filepath.Join(s.dir, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(content), mode); err != nil {
				t.Fatal(err)
			}
		}
		if s.setTimes(); s.err != nil {
			t.Fatal(s.err)
		}
		text, err := archiveOf(s.dir, "dtrec-1.2.3", s.date)
		if err != nil {
			t.Fatal(err)
		}
		return string(compress(text))
	}
	one := archive("x", 0o600, "bin/dtrec", "doc/README.md")
	if two := archive("x", 0o664, "doc/README.md", "bin/dtrec"); two != one {
		t.Error("other modes and another order make another archive")
	}
	if three := archive("y", 0o600, "bin/dtrec", "doc/README.md"); three == one {
		t.Error("other files make the same archive")
	}
}

// TestLicences checks that each module linked into the program has its licence in the stage.
func TestLicences(t *testing.T) {
	t.Chdir("..")
	s := stage{dir: t.TempDir(), arch: "arm64"}
	if s.licences(); s.err != nil {
		t.Fatal(s.err)
	}
	for _, module := range []string{"github.com/cilium/ebpf", "github.com/klauspost/compress", "github.com/spf13/cobra", "google.golang.org/protobuf", "golang.org/x/sys"} {
		if files, _ := filepath.Glob(filepath.Join(s.dir, "doc/licences", module, "LICENSE*")); len(files) == 0 {
			t.Errorf("%s: no licence", module)
		}
	}
}
