// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/dtrec/dtrec/schema"
)

func loadSpec(t *testing.T) *ebpf.CollectionSpec {
	t.Helper()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(_DcacheBytes))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// loadKprobeSpecs reads the object of kprobe.bpf.c for every architecture, not only the one this test was
// built for.
func loadKprobeSpecs(t *testing.T) map[string]*ebpf.CollectionSpec {
	t.Helper()
	specs := make(map[string]*ebpf.CollectionSpec)
	for _, arch := range []string{"x86", "arm64"} {
		spec, err := ebpf.LoadCollectionSpec("kprobe_" + arch + "_bpfel.o")
		if err != nil {
			t.Fatal(err)
		}
		specs[arch] = spec
	}
	return specs
}

// structOf returns the struct of this name from the BTF of dcache.bpf.c.
func structOf(t *testing.T, name string) *btf.Struct {
	t.Helper()
	var s *btf.Struct
	if err := loadSpec(t).Types.TypeByName(name, &s); err != nil {
		t.Fatalf("struct %s: %v", name, err)
	}
	return s
}

// The objects in the repository are what clang 16 makes of the sources beside them.
func TestObjectFresh(t *testing.T) {
	for _, tool := range []string{"clang-16", "llvm-strip-16"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("DTREC_ALL_TOOLS") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	sources, err := filepath.Glob("*.[ch]")
	if err != nil || len(sources) == 0 {
		t.Fatal("no sources", err)
	}
	for _, name := range append(sources, "doc.go") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range generateArgs(t) {
		cmd := exec.Command("go", append([]string{"tool", "bpf2go", "-output-dir", dir}, args...)...)
		cmd.Env = append(os.Environ(), "GOPACKAGE=bpf")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	for _, name := range []string{
		"dcache_bpfel.o", "dcache_bpfel.go", "kprobe_x86_bpfel.o", "kprobe_x86_bpfel.go", "kprobe_arm64_bpfel.o", "kprobe_arm64_bpfel.go",
	} {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what its source gives: run 'go generate ./bpf'", name)
		}
	}
}

// generateArgs returns the arguments of bpf2go in each go:generate line of doc.go.
func generateArgs(t *testing.T) [][]string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for _, line := range strings.Split(string(doc), "\n") {
		if line, ok := strings.CutPrefix(line, "//go:generate go tool bpf2go "); ok {
			all = append(all, splitArgs(line))
		}
	}
	if len(all) != 2 {
		t.Fatalf("doc.go has %d go:generate lines for bpf2go", len(all))
	}
	return all
}

// splitArgs splits a line into words; a quoted part is one word.
func splitArgs(line string) []string {
	var args []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return args
}

func TestObjectHasNoPaths(t *testing.T) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := filepath.Glob("*.o")
	if err != nil || len(objects) != 3 {
		t.Fatalf("objects %v, %v", objects, err)
	}
	for _, name := range objects {
		object, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(object, []byte(dir)) || bytes.Contains(object, []byte("/usr/")) {
			t.Errorf("%s names a directory of the machine it was built on", name)
		}
	}
}

// regs.h is the only source that knows about an architecture.
func TestRegistersInOnePlace(t *testing.T) {
	sources, err := filepath.Glob("*.[ch]")
	if err != nil || len(sources) == 0 {
		t.Fatal("no sources", err)
	}
	registers := regexp.MustCompile(`__TARGET_ARCH|x86|arm64|ctx->|\b(rdi|rsi|rdx|rax|rsp)\b`)
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := registers.Find(text); found != nil && name != "regs.h" {
			t.Errorf("%s has %q", name, found)
		}
	}
}

func TestLossLayout(t *testing.T) {
	s := structOf(t, "loss_slot")
	if s.Size != slotSize {
		t.Fatalf("struct loss_slot has %d bytes, slotSize is %d", s.Size, slotSize)
	}
	for i, name := range []string{"count", "acked", "first", "last"} {
		if _, off, ok := member(s.Members, name); !ok || off != uint32(8*i) {
			t.Errorf("%s at %d, loss.go reads it at %d", name, off, 8*i)
		}
	}
}

// The numbers in record.h are the same as those in Go.
func TestEnums(t *testing.T) {
	header, err := os.ReadFile("record.h")
	if err != nil {
		t.Fatal(err)
	}
	text := string(header)
	for _, want := range []string{
		fmt.Sprintf("#define LOSS_ROLES %d\n", lossRoles),
		fmt.Sprintf("FACT_PARENT_IS_ROOT = %d,", schema.FactParentIsRoot),
		fmt.Sprintf("FACT_PARENT_OP_HASH = %d,", schema.FactParentOpHash),
		fmt.Sprintf("FACT_MOUNTPOINT = %d,", schema.FactMountpoint),
		fmt.Sprintf("FACT_UNHASHED = %d,", schema.FactUnhashed),
		fmt.Sprintf("FACT_NAME_UNREADABLE = %d,", schema.FactNameUnreadable),
		fmt.Sprintf("FACT_UNWATCHED = %d,", schema.FactUnwatched),
		fmt.Sprintf("FACT_EXCHANGE = %d,", schema.FactExchange),
		fmt.Sprintf("FACT_OTHER_ROOT = %d,", schema.FactOtherRoot),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("record.h has no %q", want)
		}
	}
	checkOrder(t, text, "enum loss_cause {", int(schema.LossRingBuffer), "LOSS_RING_BUFFER", "LOSS_MISSED",
		"LOSS_WATCH_OVERFLOW", "LOSS_UNREADABLE_NAME", "LOSS_LIMIT", "LOSS_UNWATCHED", "LOSS_REBUILT", "LOSS_CAUSES")
	if schema.LossRebuilt+1 != lossCauses {
		t.Errorf("lossCauses is %d", lossCauses)
	}
}

// checkOrder checks that a C enum has these names in this order, counted from first.
func checkOrder(t *testing.T, text, enum string, first int, names ...string) {
	t.Helper()
	_, body, ok := strings.Cut(text, enum)
	if !ok {
		t.Fatalf("record.h has no %s", enum)
	}
	body, _, _ = strings.Cut(body, "}")
	var got []string
	for _, line := range strings.Split(body, "\n") {
		line, _, _ = strings.Cut(line, "/*")
		if line = strings.TrimSuffix(strings.TrimSpace(line), ","); line != "" {
			got = append(got, line)
		}
	}
	names[0] = fmt.Sprintf("%s = %d", names[0], first)
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%s has %v, want %v", enum, got, names)
	}
}

// isolate gives a program the maps it uses: the shared ones, and its own with their contents.
func TestAlone(t *testing.T) {
	if len(_KprobeBytes) == 0 {
		t.Skip(errNotCompiled)
	}
	spec, err := readObject(_KprobeBytes)
	if err != nil {
		t.Fatal(err)
	}
	shared := make(map[string]*ebpf.Map)
	for name := range spec.Maps {
		if name != ".data.runs" {
			shared[name] = &ebpf.Map{}
		}
	}
	one, maps := object{spec, shared}.isolate("parent_enter")
	if one.Maps[".data.runs"] == nil || maps[".data.runs"] != nil || one.Variables["runs"] == nil || len(one.Variables) != 1 {
		t.Errorf("the count of runs is not the program's own: maps %v, of those shared %v, variables %v", one.Maps, maps, one.Variables)
	}
	if maps["events"] == nil || maps["stashed"] != nil || len(one.Maps) != len(maps)+1 || len(one.Programs) != 1 {
		t.Errorf("maps %v, of those shared %v", one.Maps, maps)
	}
}
