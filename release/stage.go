// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/dtrec/dtrec/internal/cli"
	"github.com/spf13/cobra/doc"
)

// stage is a directory with all that is published for one architecture.
type stage struct {
	dir, arch string
	date      time.Time // of every file
	version   string    // as the program built says it
}

// fill builds the program and puts the rest beside it.
func (s *stage) fill() error {
	for _, step := range []func() error{s.build, s.manual, s.completions, s.documents, s.licences} {
		if err := step(); err != nil {
			return err
		}
	}
	return s.settle()
}

// build makes the program, and reads the version that Go wrote into it.
func (s *stage) build() error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", filepath.Join(s.dir, "bin/dtrec"), ".")
	cmd.Env = append(os.Environ(), s.platform()...)
	if _, err := output(cmd); err != nil {
		return err
	}
	info, err := output(exec.Command("go", "version", "-m", filepath.Join(s.dir, "bin/dtrec")))
	if err != nil {
		return err
	}
	for line := range strings.Lines(info) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "mod" && fields[2] != "(devel)" {
			s.version = strings.TrimPrefix(fields[2], "v")
			return nil
		}
	}
	return errors.New("go found no version for what it built: release from a clone, not from a worktree")
}

// platform is the environment of the go command that builds for the stage, whatever the builder's own.
func (s *stage) platform() []string {
	return []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + s.arch, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0"}
}

// manual writes a page for each command, compressed as distributions have them.
func (s *stage) manual() error {
	plain := filepath.Join(s.dir, "man")
	if err := os.MkdirAll(plain, 0o755); err != nil {
		return err
	}
	root := cli.Command()
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Date: &s.date, Source: "dtrec " + s.version, Manual: "dtrec"}
	if err := doc.GenManTree(root, header, plain); err != nil {
		return err
	}
	pages, err := filepath.Glob(filepath.Join(plain, "*.1"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		if err := os.WriteFile(page+".gz", compress(text), 0o644); err != nil {
			return err
		}
		if err := os.Remove(page); err != nil {
			return err
		}
	}
	return nil
}

// compress is gzip without a name and without a time.
func compress(text []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is one
	_, _ = w.Write(text)                                  // into memory
	_ = w.Close()
	return b.Bytes()
}

func (s *stage) completions() error {
	dir := filepath.Join(s.dir, "completions")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root := cli.Command()
	if err := root.GenBashCompletionFileV2(filepath.Join(dir, "dtrec.bash"), true); err != nil {
		return err
	}
	if err := root.GenZshCompletionFile(filepath.Join(dir, "_dtrec")); err != nil {
		return err
	}
	return root.GenFishCompletionFile(filepath.Join(dir, "dtrec.fish"), true)
}

// documents copies what is read beside the program: texts, and two traces to try it on.
func (s *stage) documents() error {
	texts, err := filepath.Glob("docs/*.md")
	if err != nil {
		return err
	}
	texts = append(texts, "README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "schema/FORMAT.md", "schema/trace.proto")
	for _, text := range texts {
		if err := s.copy(text, filepath.Join("doc", filepath.Base(text))); err != nil {
			return err
		}
	}
	for _, trace := range []string{"run1.pb", "linux-7.3.pb"} {
		if err := s.copy(filepath.Join("traces", trace), filepath.Join("examples", trace)); err != nil {
			return err
		}
	}
	return nil
}

// licences copies those of the modules that are linked into the program, which want that.
func (s *stage) licences() error {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}", ".")
	list.Env = append(os.Environ(), s.platform()...)
	text, err := output(list)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for line := range strings.Lines(text) {
		module, dir, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || done[module] {
			continue
		}
		done[module] = true
		for _, pattern := range []string{"LICENSE*", "COPYING*", "NOTICE*"} {
			files, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				return err
			}
			for _, file := range files {
				if err := s.copy(file, filepath.Join("doc/licences", module, filepath.Base(file))); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// copy copies a file into the stage; a directory of that name is left out.
func (s *stage) copy(from, to string) error {
	info, err := os.Stat(from)
	if err != nil || info.IsDir() {
		return err
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	to = filepath.Join(s.dir, to)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

// settle gives everything in the stage the commit's time and plain modes, whatever the umask.
func (s *stage) settle() error {
	return filepath.WalkDir(s.dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if entry.IsDir() || filepath.Dir(name) == filepath.Join(s.dir, "bin") {
			mode = 0o755
		}
		if err := os.Chmod(name, mode); err != nil {
			return err
		}
		return os.Chtimes(name, s.date, s.date)
	})
}
