// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/dtrec/dtrec"

// listed is what 'go list -json' prints about a package.
type listed struct {
	ImportPath string
	Deps       []string // all imports, direct and indirect
}

// TestImportRules checks which packages import which.
func TestImportRules(t *testing.T) {
	recording := []string{module + "/bpf", module + "/record", module + "/internal/vm", module + "/internal/doctor", "github.com/cilium/ebpf"}
	forbidden := map[string][]string{
		module + "/schema":          {module},
		module + "/internal/vm":     {module},
		module + "/replay":          append(recording, module+"/report", module+"/internal/cli"),
		module + "/report":          append(recording, module+"/internal/cli"),
		module + "/export":          append(recording, module+"/internal/cli"),
		module + "/record":          {module + "/internal/vm", module + "/internal/doctor", module + "/internal/cli", module + "/replay", module + "/report"},
		module + "/internal/doctor": {module + "/record", module + "/internal/vm", module + "/internal/cli"},
	}
	schemaAlone := []string{module + "/schema/tracetest", module + "/record/dmesg", module + "/bpf", module + "/redact"}
	packages := listPackages(t)
	for _, p := range packages {
		for _, dep := range p.Deps {
			if dep == p.ImportPath {
				continue
			}
			if rule := breaks(forbidden[room(p.ImportPath)], dep); rule != "" && room(dep) != room(p.ImportPath) {
				t.Errorf("%s imports %s: no %s there", p.ImportPath, dep, rule)
			}
		}
		if slices.Contains(schemaAlone, p.ImportPath) {
			for _, dep := range p.Deps {
				if breaks([]string{module}, dep) != "" && dep != module+"/schema" {
					t.Errorf("%s imports %s", p.ImportPath, dep)
				}
			}
		}
	}
	for _, need := range []string{module, module + "/schema", module + "/replay", module + "/report", module + "/record/dmesg"} {
		if !slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == need }) {
			t.Errorf("%s was not looked at", need)
		}
	}
}

// room returns the top-level package that a path belongs to: schema for schema/tracetest, and
// internal/vm for the packages in it.
func room(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return path
	}
	parts := strings.Split(rest, "/")
	if parts[0] == "internal" && len(parts) > 1 {
		return module + "/internal/" + parts[1]
	}
	return module + "/" + parts[0]
}

// breaks returns the forbidden prefix that dep has, or "".
func breaks(forbidden []string, dep string) string {
	for _, f := range forbidden {
		if dep == f || strings.HasPrefix(dep, f+"/") {
			return f
		}
	}
	return ""
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	out := goTool(t, "linux/amd64", "list", "-json=ImportPath,Deps", "./...")
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestReadingBuildsEverywhere checks that a trace can be read without Linux. Code that is not specific
// to a platform is vetted for the second one only.
func TestReadingBuildsEverywhere(t *testing.T) {
	t.Parallel()
	goTool(t, "darwin/amd64", "build", "-o", os.DevNull, ".")
	goTool(t, "windows/amd64", "build", "-o", os.DevNull, ".")
	goTool(t, "windows/amd64", "vet", ".", "./schema/...", "./replay/...", "./report/...", "./record/dmesg")
}

// TestRecordingBuilds checks that recording builds for arm64, which has kprobe programs of its own, and
// for an architecture without any.
func TestRecordingBuilds(t *testing.T) {
	t.Parallel()
	goTool(t, "linux/arm64", "build", "./...")
	goTool(t, "linux/arm64", "vet", "./bpf")
	goTool(t, "linux/riscv64", "build", "./bpf")
}

// TestNothingIsLong checks that no file is longer than 400 lines and no function longer than 60, in
// tests too.
func TestNothingIsLong(t *testing.T) {
	const maxFile, maxFunc = 400, 60
	for file, src := range goFiles(t) {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, src, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if ast.IsGenerated(f) {
			continue
		}
		if n := bytes.Count(src, []byte("\n")); n > maxFile {
			t.Errorf("%s has %d lines, at most %d are wanted", file, n, maxFile)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1; n > maxFunc {
				t.Errorf("%s: %s has %d lines, at most %d are wanted", file, fn.Name.Name, n, maxFunc)
			}
		}
	}
}

// goFiles returns the contents of every Go file of the tree by path.
func goFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		src, err := os.ReadFile(path)
		files[filepath.ToSlash(path)] = src
		return err
	})
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

// goTool runs the go command for a platform such as "linux/arm64" and returns its stdout.
func goTool(t *testing.T, platform string, args ...string) string {
	t.Helper()
	goos, arch, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+arch, "CGO_ENABLED=0")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: go %s: %v\n%s", platform, strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}
