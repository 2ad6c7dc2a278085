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

// fieldsOfWords are the words of columns, as record.h has them, by what they give the event. Others
// have a word for each row of schema's table.
var fieldsOfWords = map[schema.Column][]func(*schema.Event, uint64){
	schema.ColumnKey: {
		func(e *schema.Event, v uint64) { e.Parent = v },
		func(e *schema.Event, v uint64) { e.NameLen, e.Hash = uint32(v), uint32(v>>32) }},
	schema.ColumnNameAddr: {func(e *schema.Event, v uint64) { e.NameAddr = v }},
	schema.ColumnDentry: {
		func(e *schema.Event, v uint64) { e.Dentry = v },
		func(e *schema.Event, v uint64) { e.Inode = v },
		func(e *schema.Event, v uint64) { e.NameAddr = v },
		func(e *schema.Event, v uint64) { e.Parent = v },
		func(e *schema.Event, v uint64) { e.NameLen, e.Hash = uint32(v), uint32(v>>32) }},
	schema.ColumnCgroup: {func(e *schema.Event, v uint64) { e.Cgroup = hexadecimal(v) }},
	schema.ColumnOpen:   {func(e *schema.Event, v uint64) { e.Flags, e.Mode = uint32(v), uint32(v>>32) }},
	schema.ColumnFilesystem: {
		func(e *schema.Event, v uint64) { e.FSType = fmt.Sprintf("%#x", v) },
		func(e *schema.Event, v uint64) { e.Dev = uint32(v) }},
	schema.ColumnStart: {
		func(e *schema.Event, v uint64) { e.Start = v },
		func(e *schema.Event, v uint64) { e.DirFD = int32(v) }},
}

// rawRecord is a record of the role and phase in which each field and word holds a number of its
// own, with a name; and the event that it is.
func rawRecord(t *testing.T, role schema.Role, phase schema.Phase, columns schema.Columns) ([]byte, schema.Event) {
	t.Helper()
	head := structOf(t, "head")
	if head.Size != headSize {
		t.Fatalf("struct head has %d bytes, headSize is %d", head.Size, headSize)
	}
	raw := make([]byte, headSize)
	field := func(name string, value uint64) uint64 {
		m, at, ok := member(head.Members, name)
		if !ok {
			t.Fatalf("struct head has no %s", name)
		}
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Fatal(err)
		}
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], value)
		n := copy(raw[at:], b[:min(size, 8)])
		clear(b[n:])
		return binary.LittleEndian.Uint64(b[:])
	}
	number := uint64(0x1111111111111111)
	e := schema.Event{Time: field("time", number), PID: uint32(field("tgid", 2*number)), TID: uint32(field("tid", 3*number)), CPU: uint32(field("cpu", 4*number)),
		Facts: schema.Fact(field("facts", 5*number)), Comm: "task", Name: "hello", Role: role, Phase: phase, Columns: columns}
	field("role", uint64(role))
	field("phase", uint64(phase))
	field("stored", 5)
	_, at, _ := member(head.Members, "comm")
	copy(raw[at:], "task\x00junk")
	for c := schema.ColumnKey; c < 32; c++ {
		if !columns.Has(c) {
			continue
		}
		sets := fieldsOfWords[c]
		for _, f := range schema.Fields()[c] {
			if fieldsOfWords[c] == nil {
				sets = append(sets, f.Set)
			}
		}
		for i, set := range sets {
			v := number * uint64(6+int(c)+i)
			raw = binary.LittleEndian.AppendUint64(raw, v)
			set(&e, v)
		}
	}
	if !columns.Has(schema.ColumnKey) && !columns.Has(schema.ColumnDentry) {
		e.NameLen = 5
	}
	return append(raw, "hello..."...), e
}

func hexadecimal(v uint64) string { return fmt.Sprintf("%#x", v) }

// Decode finds each field of the head where the C compiler put it, and the words of each column.
func TestDecode(t *testing.T) {
	d := NewDecoder(hexadecimal, hexadecimal)
	for _, info := range schema.Catalogue() {
		for _, phase := range []schema.Phase{schema.Enter, schema.Exit} {
			shape := info.Role.Shape(phase)
			var e schema.Event
			if shape == nil {
				raw, _ := rawRecord(t, info.Role, phase, 0)
				if d.Decode(raw, &e) == nil {
					t.Errorf("%s %s: decoded, against the catalogue", info.Name, phase)
				}
				continue
			}
			raw, want := rawRecord(t, info.Role, phase, shape.Columns)
			if err := d.Decode(raw, &e); err != nil || e != want {
				t.Errorf("%s %s: %v\n%+v, want\n%+v", info.Name, phase, err, e, want)
			}
			for n := range len(raw) - len("...") {
				if d.Decode(raw[:n], &e) == nil {
					t.Fatalf("%s %s: %d bytes are taken for a record", info.Name, phase, n)
				}
			}
		}
	}
}

// A dentry that is NULL takes one word, and a path has the length of its bytes.
func TestDecodeShort(t *testing.T) {
	d := NewDecoder(hexadecimal, hexadecimal)
	raw, _ := rawRecord(t, schema.RoleLookup, schema.Exit, schema.RoleLookup.Shape(schema.Exit).Columns)
	raw = append(raw[:headSize], make([]byte, 8)...)
	binary.LittleEndian.PutUint16(raw[headStored:], 0)
	var e schema.Event
	if err := d.Decode(raw, &e); err != nil || e.Dentry != 0 || e.Name != "" {
		t.Errorf("a lookup that found nothing: %v, %+v", err, e)
	}
	raw, _ = rawRecord(t, schema.RoleExec, schema.Enter, schema.RoleExec.Shape(schema.Enter).Columns)
	clear(raw[headSize+8 : headSize+16])
	if err := d.Decode(raw, &e); err != nil || e.Name != "hello" || e.NameLen != 5 {
		t.Errorf("a path: %v, %+v", err, e)
	}
}

// An event costs no memory.
func TestDecodeDoesNotAllocate(t *testing.T) {
	d := NewDecoder(func(uint64) string { return "xfs" }, nil)
	raw, _ := rawRecord(t, schema.RoleLookup, schema.Enter, schema.RoleLookup.Shape(schema.Enter).Columns)
	var e schema.Event
	if n := testing.AllocsPerRun(100, func() { _ = d.Decode(raw, &e) }); n != 0 {
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
