// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"
)

// records reads the records of an initramfs, in order.
func records(t *testing.T, p plan) []cpio.Record {
	t.Helper()
	var b bytes.Buffer
	if err := initramfs(&b, p); err != nil {
		t.Fatal(err)
	}
	rs, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(b.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func content(t *testing.T, r cpio.Record) string {
	t.Helper()
	text, err := io.ReadAll(io.NewSectionReader(r, 0, int64(r.FileSize)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestInitramfs(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("data/deep", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("data/deep/file", []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("deep/file", "data/link"); err != nil {
		t.Fatal(err)
	}
	program := fakeELF(t, "")
	j := job{Program: "/bin/prog", Args: []string{"record", "-o", "x\ny"}, Outputs: []string{"/work/run1.pb"}}
	rs := records(t, plan{
		Config: Config{Files: []File{{Host: "data"}, {Host: program, Guest: "/tmp/stage2"}}}, arch: arches[0], program: program, job: j,
		modules: []module{{"jbd2", []byte("one")}, {"ext4", []byte("two")}},
	})
	j.Modules.Load = []string{"/.dtrec/modules/jbd2.ko", "/.dtrec/modules/ext4.ko"}

	byName, seen := map[string]cpio.Record{}, map[string]bool{".": true}
	for _, r := range rs {
		if !seen[filepath.Dir(r.Name)] {
			t.Errorf("%s comes before its directory", r.Name)
		}
		if seen[r.Name] {
			t.Errorf("%s comes twice", r.Name)
		}
		seen[r.Name], byName[r.Name] = true, r
	}
	want := map[string]uint64{
		"dev/console": cpio.S_IFCHR | 0o600, "dev/null": cpio.S_IFCHR | 0o666, "bin/prog": cpio.S_IFREG | 0o755,
		"init": cpio.S_IFLNK | 0o777, ".dtrec/job.json": cpio.S_IFREG | 0o600,
		".dtrec/files/work/data":           cpio.S_IFDIR | 0o755,
		".dtrec/files/work/data/deep/file": cpio.S_IFREG | 0o640,
		".dtrec/modules/ext4.ko":           cpio.S_IFREG | 0o600,
		".dtrec/files/work/data/link":      cpio.S_IFLNK | 0o777, ".dtrec/files/tmp/stage2": cpio.S_IFREG | 0o755,
	}
	for name, mode := range want {
		if r, ok := byName[name]; !ok || r.Mode != mode {
			t.Errorf("%s: got mode %o (there: %v), want %o", name, r.Mode, ok, mode)
		}
	}
	if got := content(t, byName[".dtrec/files/work/data/deep/file"]); got != "text" {
		t.Errorf("got content %q", got)
	}
	var back job
	if err := json.Unmarshal([]byte(content(t, byName[".dtrec/job.json"])), &back); err != nil || !reflect.DeepEqual(back, j) {
		t.Errorf("got job %+v, %v, want %+v", back, err, j)
	}
}

func TestInitramfsRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	static, dynamic := fakeELF(t, ""), fakeELF(t, "/lib64/ld.so")
	err := errors.Join(os.WriteFile("ld.so", nil, 0o755), os.Mkdir("d", 0o755), os.WriteFile("d/file", nil, 0o644), os.Symlink("file", "d/link"), os.Symlink("none", "d/gone"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		files []File
		want  string // part of the error; empty for none
	}{
		{"twice", []File{{static, "/bin/x"}, {static, "/bin/../bin/x"}}, ""},
		{"alone and in its directory", []File{{"d/link", ""}, {"d", ""}, {"d/file", ""}}, ""},
		{"two files for one place", []File{{static, "/bin/x"}, {"ld.so", "/bin/x"}}, "/bin/x: two files of the host go there"},
		{"out of the working directory", []File{{"../x", ""}}, "leads out"},
		{"dynamic", []File{{dynamic, "/bin/x"}}, "/lib64/ld.so"},
		{"dynamic with its loader", []File{{dynamic, "/bin/x"}, {"ld.so", "/lib64/ld.so"}}, ""},
		{"device", []File{{"/dev/null", "/bin/x"}}, "neither"},
		{"nameless", []File{{"", "/bin/x"}}, "without a name"},
	}
	for _, tt := range tests {
		err := initramfs(io.Discard, plan{Config: Config{Files: tt.files}, arch: arches[0], program: static, job: job{Program: "/bin/prog"}})
		if tt.want == "" && err == nil {
			continue
		}
		if err == nil || tt.want == "" || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestNewJob(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("traces", 0o755); err != nil {
		t.Fatal(err)
	}
	j, err := newJob(Config{
		Program: "/usr/local/bin/dtrec", Args: []string{"record"},
		Outputs: []string{"run1.pb", "traces/run2.pb", "none/run3.pb", "/tmp/run4.pb"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/work/run1.pb", "/work/traces/run2.pb", "/work/none/run3.pb", "/tmp/run4.pb"}; !slices.Equal(j.Outputs, want) {
		t.Errorf("got outputs %q, want %q", j.Outputs, want)
	}
	if want := []string{"/work", "/work/traces", "/tmp"}; !slices.Equal(j.Dirs, want) {
		t.Errorf("got directories %q, want %q", j.Dirs, want)
	}
	if j.Program != "/bin/dtrec" {
		t.Errorf("got program %q", j.Program)
	}
}
