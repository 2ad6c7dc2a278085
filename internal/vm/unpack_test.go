// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tarOf returns an archive with these entries; regular files are filled with x.
func tarOf(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writeArchive(t *testing.T, name string, entries ...tar.Header) {
	t.Helper()
	if err := os.WriteFile(name, append(tarOf(t, entries...), make([]byte, 8192)...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func file(name string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: 1}
}
func dir(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755} }

// treeOf lists the contents of the working directory.
func treeOf(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if name != "." {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestUnpackHostile unpacks, for the outputs "out" and "sub/dir", archives with entries that a guest must not
// be able to create.
func TestUnpackHostile(t *testing.T) {
	link := tar.Header{Name: "1/l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}
	tests := []struct {
		name    string
		entries []tar.Header
	}{
		{"absolute", []tar.Header{file("/etc/x")}},
		{"another name", []tar.Header{file("x")}},
		{"no index", []tar.Header{file("2")}},
		{"negative index", []tar.Header{file("-1")}},
		{"another spelling of an index", []tar.Header{file("00")}},
		{"parent", []tar.Header{dir("1"), file("1/../../x")}},
		{"parent in between", []tar.Header{dir("1"), dir("1/a"), file("1/a/../x")}},
		{"parent alone", []tar.Header{file("..")}},
		{"absolute below", []tar.Header{dir("1"), file("1//etc/x")}},
		{"symbolic link", []tar.Header{dir("1"), link}},
		{"symbolic link as the output", []tar.Header{{Name: "0", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}},
		{"hard link", []tar.Header{{Name: "0", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}},
		{"device", []tar.Header{{Name: "0", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}}},
		{"through a link of the host", []tar.Header{file("1/out/x")}},
		{"below a file", []tar.Header{file("0"), file("0/x")}},
		{"file in place of a directory", []tar.Header{file("1")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.MkdirAll("sub/dir", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(t.TempDir(), "sub/dir/out"); err != nil {
				t.Fatal(err)
			}
			archive := tarOf(t, tt.entries...)
			err := unpackOutputs(bytes.NewReader(archive), message{Size: int64(len(archive))}, []string{"out", "sub/dir"}, false)
			if err == nil {
				t.Error("accepted")
			}
			want := []string{"sub", "sub/dir", "sub/dir/a", "sub/dir/out", "out"}
			for _, name := range treeOf(t) {
				if !slices.Contains(want, name) {
					t.Errorf("made %s", name)
				}
			}
		})
	}
}

func TestUnpackDamaged(t *testing.T) {
	t.Chdir(t.TempDir())
	archive := tarOf(t, tar.Header{Name: "0", Typeflag: tar.TypeReg, Mode: 0o644, Size: 4096})
	for _, size := range []int{100, 512, 1000, 4000} {
		err := unpackOutputs(bytes.NewReader(archive), message{Size: int64(size)}, []string{"out"}, false)
		if err == nil {
			t.Errorf("archive cut at %d: accepted", size)
		}
	}
	noise := bytes.Repeat([]byte("noise"), 1000)
	if err := unpackOutputs(bytes.NewReader(noise), message{Size: 5000}, []string{"out"}, false); !errors.Is(err, ErrBadOutput) {
		t.Errorf("noise: got %v, want ErrBadOutput", err)
	}
	if names := treeOf(t); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestUnpackRoundTrip(t *testing.T) {
	guest, host := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"run1.pb": "trace", "logs/a": "a", "logs/deep/b": "b"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(guest, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(guest, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(guest, "logs/link")); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	inGuest := []string{filepath.Join(guest, "run1.pb"), filepath.Join(guest, "logs"), filepath.Join(guest, "none")}
	if err := packOutputs(&b, inGuest, false); err != nil {
		t.Fatal(err)
	}
	t.Chdir(host)
	if err := os.WriteFile("run1.pb", []byte("an older and longer one"), 0o644); err != nil {
		t.Fatal(err)
	}
	done := message{Size: int64(b.Len()), Exit: 1}
	if err := unpackOutputs(bytes.NewReader(b.Bytes()), done, []string{"run1.pb", "logs", "none"}, false); err != nil {
		t.Fatal(err)
	}
	want := []string{"logs", "logs/a", "logs/deep", "logs/deep/b", "run1.pb"}
	if got := treeOf(t); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	text, err := os.ReadFile("run1.pb")
	info, _ := os.Stat("run1.pb")
	if err != nil || string(text) != "trace" || info.Mode() != 0o600 {
		t.Errorf("got %q, %v, mode %v", text, err, info.Mode())
	}
}

// What matches a pattern is brought back, and nothing else from the guest.
func TestUnpackPatterns(t *testing.T) {
	guest, host := t.TempDir(), t.TempDir()
	for _, name := range []string{"run.000002.pb", "run.000003.pb", "run.pb", "run.x.pb", "run.000004.txt"} {
		if err := os.WriteFile(filepath.Join(guest, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := packOutputs(&b, []string{filepath.Join(guest, "run.[0-9]*.pb")}, true); err != nil {
		t.Fatal(err)
	}
	t.Chdir(host)
	if err := unpackOutputs(bytes.NewReader(b.Bytes()), message{Size: int64(b.Len())}, []string{"run.[0-9]*.pb"}, true); err != nil {
		t.Fatal(err)
	}
	if got, want := treeOf(t), []string{"run.000002.pb", "run.000003.pb"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, name := range []string{"0", "0/run.pb", "0/../run.000001.pb", "0/a/run.000001.pb", "0/run.1/x.pb", "0/run.x.pb"} {
		archive := tarOf(t, file(name))
		if err := unpackOutputs(bytes.NewReader(archive), message{Size: int64(len(archive))}, []string{"run.[0-9]*.pb"}, true); !errors.Is(err, ErrBadOutput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnpackIntoWhatIsNoFile checks that -o /dev/null does not replace the device, and that a FIFO is refused
// instead of waiting for a reader.
func TestUnpackIntoWhatIsNoFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := unix.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeOutput("pipe", 0o644, strings.NewReader("text")); err == nil {
		t.Error("a FIFO was written to")
	}
	if info, err := os.Lstat("pipe"); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
		t.Errorf("the pipe is now %v, %v", info, err)
	}
	if err := writeOutput(os.DevNull, 0o644, strings.NewReader("text")); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(os.DevNull); err != nil || info.Mode()&fs.ModeCharDevice == 0 {
		t.Errorf("/dev/null is now %v, %v", info, err)
	}
}

// A file of a package that is too large is refused, and not cut off.
func TestMemberOfAPackageIsWholeOrRefused(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for text, fits := range map[string]bool{"abc": true, "abcd": true, "abcde": false} {
		if err := writeBelow(root, "boot/vmlinuz", strings.NewReader(text), 4); (err == nil) != fits {
			t.Errorf("%d bytes of at most 4: %v", len(text), err)
		}
	}
}
