// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
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

// stage is a directory with everything published for one architecture. After an error nothing more is written
// to it.
type stage struct {
	dir, arch string
	date      time.Time // for every file
	version   string    // version of the built program
	err       error     // the first one
}

// fill builds the program and adds everything else.
func (s *stage) fill() error {
	for _, step := range []func(){s.build, s.manual, s.completions, s.documents, s.licences, s.setTimes} {
		if step(); s.err != nil {
			break
		}
	}
	return s.err
}

func (s *stage) setErr(err error) {
	if s.err == nil {
		s.err = err
	}
}

// write writes a file of the stage.
func (s *stage) write(to string, text []byte) {
	to = filepath.Join(s.dir, to)
	s.setErr(os.MkdirAll(filepath.Dir(to), 0o755))
	if s.err == nil {
		s.err = os.WriteFile(to, text, 0o644)
	}
}

// copy copies a file into the stage; a directory is skipped.
func (s *stage) copy(from, to string) {
	info, err := os.Stat(from)
	if s.setErr(err); s.err != nil || info.IsDir() {
		return
	}
	text, err := os.ReadFile(from)
	s.setErr(err)
	s.write(to, text)
}

func (s *stage) glob(pattern string) []string {
	files, err := filepath.Glob(pattern)
	s.setErr(err)
	return files
}

// build builds the program and reads the version that Go wrote into it.
func (s *stage) build() {
	program := filepath.Join(s.dir, "bin/dtrec")
	cmd := exec.Command("go", "build", "-trimpath", "-pgo=dtrec.pgo", "-buildvcs=true", "-ldflags=-s -w", "-o", program, ".")
	cmd.Env = append(os.Environ(), s.buildEnv()...)
	if _, err := output(cmd); err != nil {
		s.setErr(err)
		return
	}
	info, err := output(exec.Command("go", "version", "-m", program))
	for line := range strings.Lines(info) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "mod" && fields[2] != "(devel)" {
			s.version = strings.TrimPrefix(fields[2], "v")
			return
		}
	}
	s.setErr(cmp.Or(err, errors.New("go found no version for what it built: release from a clone, not from a worktree")))
}

// buildEnv returns the environment for go commands that build for the stage's architecture. It overrides the
// builder's own settings.
func (s *stage) buildEnv() []string {
	return []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + s.arch, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0"}
}

// manual writes a manual page for each command, compressed as distributions do.
func (s *stage) manual() {
	plain, err := os.MkdirTemp("", "dtrec-man-")
	s.setErr(err)
	defer os.RemoveAll(plain)
	root := cli.Command()
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Date: &s.date, Source: "dtrec " + s.version, Manual: "dtrec"}
	s.setErr(doc.GenManTree(root, header, plain))
	for _, page := range s.glob(filepath.Join(plain, "*.1")) {
		text, err := os.ReadFile(page)
		s.setErr(err)
		s.write(filepath.Join("man", filepath.Base(page)+".gz"), compress(text))
	}
}

// compress returns the text in gzip format, without a file name or time.
func compress(text []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(text)                                  // cannot fail: it writes to memory
	_ = w.Close()
	return b.Bytes()
}

func (s *stage) completions() {
	var bash, zsh, fish bytes.Buffer
	root := cli.Command()
	s.setErr(errors.Join(root.GenBashCompletionV2(&bash, true), root.GenZshCompletion(&zsh), root.GenFishCompletion(&fish, true)))
	s.write("completions/dtrec.bash", bash.Bytes())
	s.write("completions/_dtrec", zsh.Bytes())
	s.write("completions/dtrec.fish", fish.Bytes())
}

// documents copies what is read beside the program: texts, and traces to try it on.
func (s *stage) documents() {
	for _, text := range append(s.glob("docs/*.md"), "README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "schema/FORMAT.md", "schema/trace.proto") {
		s.copy(text, filepath.Join("doc", filepath.Base(text)))
	}
	for _, text := range s.glob("LICENSES/*") {
		s.copy(text, filepath.Join("doc", text))
	}
	for _, trace := range []string{"traces/run1.pb", "traces/linux-7.3.pb", "test/cases/questions.pb", "test/git.pb"} {
		s.copy(trace, filepath.Join("examples", filepath.Base(trace)))
	}
}

// licences copies the licences of the modules linked into the program, which require that.
func (s *stage) licences() {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}", ".")
	list.Env = append(os.Environ(), s.buildEnv()...)
	text, err := output(list)
	s.setErr(err)
	done := map[string]bool{}
	for line := range strings.Lines(text) {
		module, dir, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || done[module] {
			continue
		}
		done[module] = true
		for _, pattern := range []string{"LICENSE*", "COPYING*", "NOTICE*"} {
			for _, file := range s.glob(filepath.Join(dir, pattern)) {
				s.copy(file, filepath.Join("doc/licences", module, filepath.Base(file)))
			}
		}
	}
}

// setTimes gives everything in the stage the time of the commit and standard modes, whatever the umask is.
func (s *stage) setTimes() {
	s.setErr(filepath.WalkDir(s.dir, func(name string, entry fs.DirEntry, err error) error {
		mode := fs.FileMode(0o644)
		if err == nil && entry.IsDir() || filepath.Dir(name) == filepath.Join(s.dir, "bin") {
			mode = 0o755
		}
		return errors.Join(err, os.Chmod(name, mode), os.Chtimes(name, s.date, s.date))
	}))
}
