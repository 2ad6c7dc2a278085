// SPDX-License-Identifier: Apache-2.0

//go:build unix

package tracefile

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

func trace(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := schema.NewWriter(f, &schema.Header{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(&schema.Footer{}), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPlaces checks which kinds of file a trace may replace. No check waits (as on a FIFO), and a
// refusal has a remedy.
func TestPlaces(t *testing.T) {
	t.Chdir(t.TempDir())
	trace(t, "trace")
	trace(t, "cut")
	if info, err := os.Stat("cut"); err != nil || os.Truncate("cut", info.Size()-3) != nil {
		t.Fatal(err)
	}
	write(t, "empty", "")
	write(t, "notes", "precious")
	if err := errors.Join(syscall.Mkfifo("fifo", 0o666), os.Symlink("trace", "link"), os.Symlink("nosuch", "dangling"),
		os.Symlink("fifo", "tofifo"), os.Mkdir("dir", 0o755)); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	const lost = "is a trace, and would be lost"
	for _, test := range []struct{ path, plain, force, other string }{
		{"new", "", "", ""},
		{"trace", "", "", lost},
		{"cut", "", "", lost},
		{"empty", "", "", ""},
		{"notes", "is there and is not a trace", "", ""},
		{"fifo", "is a FIFO", "is a FIFO", "is a FIFO"},
		{"link", "is a symbolic link", "is a symbolic link", "is a symbolic link"},
		{"dangling", "is a symbolic link", "is a symbolic link", "is a symbolic link"},
		{"tofifo", "is a symbolic link", "is a symbolic link", "is a symbolic link"},
		{"socket", "is neither a file nor /dev/null", "is neither a file nor /dev/null", "is neither a file nor /dev/null"},
		{"/dev/zero", "is neither a file nor /dev/null", "is neither a file nor /dev/null", "is neither a file nor /dev/null"},
		{"dir", "is a directory", "is a directory", "is a directory"},
		{"nosuch/new", "no such file or directory", "no such file or directory", "no such file or directory"},
		{os.DevNull, "", "", ""},
	} {
		for place, want := range map[Place]string{{User: -1}: test.plain, {User: -1, Force: true}: test.force, {User: -1, NotTrace: true}: test.other, {User: -1, NotTrace: true, Force: true}: test.force} {
			place.Path = test.path
			err := place.Check()
			if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
				t.Errorf("%+v: %v, want %q", place, err, want)
			}
			var refused *RefusedError
			if errors.As(err, &refused) && refused.Remedy == "" {
				t.Errorf("%s: refused without a remedy", test.path)
			}
		}
	}
}

func TestCreate(t *testing.T) {
	t.Chdir(t.TempDir())
	trace(t, "trace")
	if err := os.Link("trace", "kept"); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile("kept")
	f, made, err := Place{Path: "trace", User: -1}.Create()
	if err != nil || !made {
		t.Fatal(err, made)
	}
	if _, err := f.WriteString("frame"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if after, _ := os.ReadFile("kept"); string(after) != string(before) {
		t.Error("a second name of the old file was written through")
	}
	if info, err := os.Stat("trace"); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	write(t, "notes", "precious")
	if _, _, err := (Place{Path: "notes", User: -1}).Create(); err == nil {
		t.Error("a file that is no trace is replaced")
	}
	if b, _ := os.ReadFile("notes"); string(b) != "precious" {
		t.Errorf("what was refused is %q", b)
	}
	null, made, err := Place{Path: os.DevNull, User: -1}.Create()
	if err != nil || made {
		t.Errorf("/dev/null: %v, made %v", err, made)
	} else {
		null.Close()
	}
}

// TestReplace checks that the old file stays until the new one is complete, and that no temporary file
// is left.
func TestReplace(t *testing.T) {
	t.Chdir(t.TempDir())
	trace(t, "trace")
	before, _ := os.ReadFile("trace")
	p := Place{Path: "trace", User: -1}
	if err := p.Replace(func(w io.Writer) error { io.WriteString(w, "half"); return io.ErrShortWrite }); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("error %v", err)
	}
	if after, _ := os.ReadFile("trace"); string(after) != string(before) {
		t.Error("a write that failed took the old file")
	}
	if err := p.Replace(func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile("trace"); string(after) != "whole" {
		t.Errorf("the file is %q", after)
	}
	if left, _ := filepath.Glob("*"); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}

// TestForeign checks that another user's trace in a directory like /tmp is refused; files of the user
// who called sudo and of root are not.
func TestForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a file away takes root")
	}
	const caller, other = 4711, 4712
	for _, test := range []struct {
		name            string
		mode            os.FileMode
		dir, file, user int
		refused         bool
	}{
		{"planted in a sticky directory", 0o777 | os.ModeSticky, 0, other, caller, true},
		{"planted, and no sudo", 0o777 | os.ModeSticky, 0, other, -1, true},
		{"the user's own there", 0o777 | os.ModeSticky, 0, caller, caller, false},
		{"root's own there", 0o777 | os.ModeSticky, 0, 0, caller, false},
		{"in another's directory", 0o755, other, other, caller, true},
		{"in the user's directory", 0o755, caller, other, caller, false},
		{"in root's directory", 0o755, 0, other, caller, false},
		{"in a group's directory", 0o775, 0, other, caller, true},
	} {
		dir := filepath.Join(t.TempDir(), "dir")
		file := filepath.Join(dir, "trace")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		trace(t, file)
		if err := errors.Join(os.Chown(file, test.file, -1), os.Chown(dir, test.dir, -1), os.Chmod(dir, test.mode)); err != nil {
			t.Fatal(err)
		}
		err := Place{Path: file, Force: true, User: test.user}.Check()
		if (err != nil) != test.refused {
			t.Errorf("%s: %v, want refused %v", test.name, err, test.refused)
		}
	}
}
