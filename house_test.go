// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/dtrec/dtrec"

// listed is what 'go list -json' says of a package.
type listed struct {
	ImportPath string
	Deps       []string // all it imports, directly or not
}

// TestImportRules holds the house of design.md: who may import whom.
func TestImportRules(t *testing.T) {
	recording := []string{module + "/bpf", module + "/record", module + "/internal/vm", module + "/internal/doctor", "github.com/cilium/ebpf"}
	forbidden := map[string][]string{
		module + "/schema":          {module},
		module + "/internal/vm":     {module},
		module + "/replay":          append(recording, module+"/report", module+"/internal/cli"),
		module + "/report":          append(recording, module+"/internal/cli"),
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

// room is the package something belongs to: schema for schema/tracetest, internal/vm for what is in it.
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

// breaks returns the forbidden prefix that dep falls under.
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

// TestReadingBuildsEverywhere: whoever reads a trace needs no Linux. What is not of one
// platform is looked at on the second alone.
func TestReadingBuildsEverywhere(t *testing.T) {
	t.Parallel()
	goTool(t, "darwin/amd64", "build", "-o", os.DevNull, ".")
	goTool(t, "windows/amd64", "build", "-o", os.DevNull, ".")
	goTool(t, "windows/amd64", "vet", ".", "./schema/...", "./replay/...", "./report/...", "./record/dmesg")
}

// TestRecordingBuilds: for arm64 with its own kprobe programs, and for others without.
func TestRecordingBuilds(t *testing.T) {
	t.Parallel()
	goTool(t, "linux/arm64", "build", "./...")
	goTool(t, "linux/arm64", "vet", "./bpf")
	goTool(t, "linux/riscv64", "build", "./bpf")
}

// goTool runs the go command for a platform, as in "linux/arm64", and returns its stdout.
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
