// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"
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

// loadKprobeSpecs reads the object of kprobe.bpf.c of every architecture, also those this
// test was not built for.
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

// structOf finds a type by the map or record that uses it.
func structOf(t *testing.T, name string) *btf.Struct {
	t.Helper()
	var s *btf.Struct
	if err := loadSpec(t).Types.TypeByName(name, &s); err != nil {
		t.Fatalf("struct %s: %v", name, err)
	}
	return s
}

// The object in the repository is what clang 16 makes of the source beside it.
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

// generateArgs are the arguments of bpf2go in each go:generate line of doc.go.
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

// splitArgs takes quoted words as one.
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

// Only regs.h knows an architecture.
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

// rawRecord is a record of the role and phase in which every field of struct record holds
// a number of its own, with a filesystem type where it has one, and a name; and what each
// field holds.
func rawRecord(t *testing.T, role schema.Role, phase schema.Phase) (raw []byte, field func(string) uint64) {
	t.Helper()
	s := structOf(t, "record")
	if s.Size != headSize {
		t.Fatalf("struct record has %d bytes, headSize is %d", s.Size, headSize)
	}
	raw = make([]byte, headSize+fstypeSize+8)
	values := make(map[string]uint64)
	for i, m := range s.Members {
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Fatal(err)
		}
		value := binary.LittleEndian.AppendUint64(nil, uint64(0x1111111111111111)*uint64(i+1))
		n := copy(raw[m.Offset.Bytes():], value[:min(size, 8)])
		values[m.Name] = binary.LittleEndian.Uint64(append(value[:n:n], make([]byte, 8)...))
	}
	at := func(name string) []byte {
		_, off, ok := member(s.Members, name)
		if !ok {
			t.Fatalf("struct record has no %s", name)
		}
		return raw[off:]
	}
	binary.LittleEndian.PutUint16(at("stored"), 5)
	at("role")[0], at("phase")[0] = byte(role), byte(phase)
	copy(at("comm"), "task\x00junk")
	name := raw[headSize:]
	if hasFSType(raw) {
		copy(name, "ext4\x00")
		name = name[fstypeSize:]
	}
	copy(name, "hello...")
	return raw, func(name string) uint64 { return values[name] }
}

// Decode finds each field where the C compiler put it, and those that several roles share
// mean what each role says.
func TestDecode(t *testing.T) {
	d := NewDecoder(func(addr uint64) string { return fmt.Sprintf("%#x", addr) })
	for _, info := range schema.Catalogue() {
		for _, phase := range []schema.Phase{schema.Enter, schema.Exit} {
			shape := info.Role.Shape(phase)
			raw, field := rawRecord(t, info.Role, phase)
			var e schema.Event
			if d.Decode(raw, &e) != (shape != nil) {
				t.Errorf("%s %s: decoded or not, against the catalogue", info.Name, phase)
			}
			if shape == nil {
				continue
			}
			want := schema.Event{Time: field("time"), CPU: uint32(field("cpu")), PID: uint32(field("tgid")), TID: uint32(field("tid")), Comm: "task",
				Role: info.Role, Phase: phase, Columns: shape.Columns, Parent: field("parent"), NameAddr: field("name_addr"), Name: "hello",
				NameLen: uint32(field("name_len")), Hash: uint32(field("hash")), Dentry: field("dentry"), Inode: field("inode"), Facts: schema.Fact(field("facts"))}
			for c := schema.ColumnKey; c <= schema.ColumnStart; c++ {
				if !shape.Columns.Has(c) {
					continue
				}
				switch c {
				case schema.ColumnStart:
					want.Start, want.DirFD, want.Dentry, want.Hash = want.Dentry, int32(want.Hash), 0, 0
				case schema.ColumnRet:
					if info.Role == schema.RoleOpen || !shape.Columns.Has(schema.ColumnFilesystem) { // a walk that led somewhere returned 0
						want.Ret = field("value")
					}
				case schema.ColumnBucket:
					want.Bucket = field("value")
				case schema.ColumnTarget:
					want.Target = field("value")
				case schema.ColumnOpen:
					want.Flags, want.Mode = uint32(field("flags")), uint32(field("mode"))
				case schema.ColumnChild:
					want.Child = uint32(field("flags"))
				case schema.ColumnTook:
					want.Entered = field("entered")
				case schema.ColumnFilesystem:
					want.FSType, want.Dev = fmt.Sprintf("%#x", field("value")), uint32(field("flags"))
					if info.Role == schema.RoleOpen {
						want.FSType = "ext4"
					}
				}
			}
			if e != want {
				t.Errorf("%s %s:\n%+v, want\n%+v", info.Name, phase, e, want)
			}
		}
	}
	raw, _ := rawRecord(t, schema.RoleOpen, schema.Exit)
	if n, err := Size(raw); n != headSize+fstypeSize+8 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := Size(raw[:headSize+fstypeSize+4]); err == nil {
		t.Error("a cut record has a size")
	}
}

// A name seen before costs nothing.
func TestDecodeDoesNotAllocate(t *testing.T) {
	d := NewDecoder(func(uint64) string { return "xfs" })
	raw, _ := rawRecord(t, schema.RoleLookup, schema.Enter)
	var e schema.Event
	d.Decode(raw, &e)
	if n := testing.AllocsPerRun(100, func() { d.Decode(raw, &e) }); n != 0 {
		t.Errorf("%v allocations for each event", n)
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

// The numbers of record.h are those of the Go side.
func TestEnums(t *testing.T) {
	header, err := os.ReadFile("record.h")
	if err != nil {
		t.Fatal(err)
	}
	text := string(header)
	for _, want := range []string{
		fmt.Sprintf("#define LOSS_ROLES %d\n", lossRoles),
		fmt.Sprintf("#define FSTYPE_BYTES %d\n", fstypeSize),
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
		"LOSS_WATCH_OVERFLOW", "LOSS_UNREADABLE_NAME", "LOSS_LIMIT", "LOSS_UNWATCHED", "LOSS_CAUSES")
	if schema.LossUnwatched+1 != lossCauses {
		t.Errorf("lossCauses is %d", lossCauses)
	}
}

// checkOrder holds a C enum to names counted from first.
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
