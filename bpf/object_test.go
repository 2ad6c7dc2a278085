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

// Decode finds each field where the C compiler put it.
func TestRecordLayout(t *testing.T) {
	s := structOf(t, "record")
	if s.Size != headSize {
		t.Fatalf("struct record has %d bytes, headSize is %d", s.Size, headSize)
	}
	raw := make([]byte, headSize+fstypeSize+8)
	for i, m := range s.Members {
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Fatal(err)
		}
		value := binary.LittleEndian.AppendUint64(nil, uint64(0x1111111111111111)*uint64(i+1))
		copy(raw[m.Offset.Bytes():], value[:min(size, 8)])
	}
	at := func(name string) []byte {
		_, off, ok := member(s.Members, name)
		if !ok {
			t.Fatalf("struct record has no %s", name)
		}
		return raw[off:]
	}
	binary.LittleEndian.PutUint16(at("stored"), 5)
	at("role")[0], at("phase")[0] = byte(RoleOpen), byte(Exit)
	copy(at("comm"), "task\x00junk")
	copy(raw[headSize:], "ext4\x00")
	copy(raw[headSize+fstypeSize:], "hello...")
	var r Record
	n, err := r.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"time": r.Time, "parent": r.Parent, "name_addr": r.NameAddr, "dentry": r.Dentry, "inode": r.Inode,
		"value": r.Value, "tgid": r.PID, "tid": r.TID, "name_len": r.NameLen, "hash": r.Hash,
		"facts": r.Facts, "flags": r.Flags, "mode": r.Mode, "cpu": r.CPU, "entered": r.Entered,
	}
	for name, value := range got {
		var want any
		switch value.(type) {
		case uint64:
			want = binary.LittleEndian.Uint64(at(name))
		case uint32:
			want = binary.LittleEndian.Uint32(at(name))
		case uint16:
			want = binary.LittleEndian.Uint16(at(name))
		}
		if value != want {
			t.Errorf("%s: decoded %#x, the record holds %#x", name, value, want)
		}
	}
	if n != headSize+fstypeSize+8 || r.Role != RoleOpen || r.Phase != Exit {
		t.Errorf("decoded %d bytes, role %d, phase %d", n, r.Role, r.Phase)
	}
	if string(r.Comm) != "task" || string(r.FSType) != "ext4" || string(r.Name) != "hello" {
		t.Errorf("decoded comm %q, file system %q, name %q", r.Comm, r.FSType, r.Name)
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
		fmt.Sprintf("FACT_PARENT_IS_ROOT = %d,", FactParentIsRoot),
		fmt.Sprintf("FACT_PARENT_OP_HASH = %d,", FactParentOpHash),
		fmt.Sprintf("FACT_MOUNTPOINT = %d,", FactMountpoint),
		fmt.Sprintf("FACT_UNHASHED = %d,", FactUnhashed),
		fmt.Sprintf("FACT_NAME_UNREADABLE = %d,", FactNameUnreadable),
		fmt.Sprintf("FACT_UNWATCHED = %d,", FactUnwatched),
		fmt.Sprintf("FACT_EXCHANGE = %d,", FactExchange),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("record.h has no %q", want)
		}
	}
	checkOrder(t, text, "enum role {", int(RoleOpen), "ROLE_OPEN", "ROLE_LOOKUP", "ROLE_LOOKUP_CHAIN", "ROLE_LOOKUP_RCU",
		"ROLE_ALLOC", "ROLE_INSERT", "ROLE_INSTANTIATE", "ROLE_DELETE", "ROLE_DROP", "ROLE_KILL", "ROLE_FREE",
		"ROLE_MOVE", "ROLE_EVICT", "ROLE_UNLINK", "ROLE_FORK", "ROLE_EXEC", "ROLE_EXIT")
	if RoleExit != 17 {
		t.Errorf("RoleExit is %d", RoleExit)
	}
	checkOrder(t, text, "enum loss_cause {", int(LossRingBuffer), "LOSS_RING_BUFFER", "LOSS_MISSED",
		"LOSS_WATCH_OVERFLOW", "LOSS_UNREADABLE_NAME", "LOSS_LIMIT", "LOSS_UNWATCHED", "LOSS_CAUSES")
	if LossUnwatched+1 != lossCauses {
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
