// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// newOneFile is newRotating for a recording that is one file.
func newOneFile(t *testing.T, c Config) *rotating {
	t.Helper()
	r := newRotating(t, c)
	r.writer.rotation.next = nil
	r.parts.header = nil
	return r
}

// What a limit left out is by the limit, even if the command ended before the writer came to it.
func TestLimitAfterTheCommand(t *testing.T) {
	for most, want := range map[uint64]string{2: "limit", 3: "command"} {
		r := newOneFile(t, Config{Output: filepath.Join(t.TempDir(), "run.pb"), MaxEvents: most})
		r.recordEvents(1001, 1002, 1003)
		r.writer.writeRest()
		footer := &schema.Footer{EndNs: 1 << 40, EndedBy: "command"}
		if err := r.finish(footer); err != nil || footer.EndedBy != want {
			t.Errorf("at most %d: ended by %s, %v, want %s", most, footer.EndedBy, err, want)
		}
	}
}

// A recording does not end as if all were well where somebody did away with its file.
func TestFileGoneWhileRecording(t *testing.T) {
	const text = "longer than the trace is, surely: " + "0123456789012345678901234567890123456789012345678901234567890123456789"
	for _, test := range []struct {
		name, want string
		do         func(path string) error
	}{
		{"removed with its directory", "removed while recording; what was recorded is lost", func(path string) error { return os.RemoveAll(filepath.Dir(path)) }},
		{"replaced", "replaced while recording; what was recorded is lost", func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("hello"), 0o644))
		}},
		{"a link in its place", "replaced while recording", func(path string) error {
			return errors.Join(os.Rename(path, path+".was"), os.Remove(path+".was"), os.Symlink("/dev/null", path))
		}},
		{"truncated", "truncated or written to while recording", func(path string) error { return os.Truncate(path, 0) }},
		{"written to", "truncated or written to while recording", func(path string) error { return os.WriteFile(path, []byte(strings.Repeat(text, 9)), 0o644) }},
		{"moved", "moved while recording", func(path string) error { return os.Rename(path, path+".old") }},
		{"linked", "", func(path string) error { return os.Link(path, path+".too") }},
	} {
		for _, late := range []bool{false, true} { // whether all was written by then
			path := filepath.Join(t.TempDir(), "dir", "run.pb")
			if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			r := newOneFile(t, Config{Output: path})
			r.recordEvents(1001, 1002)
			r.writer.writeRest()
			var err error
			if late {
				err = errors.Join(r.writer.close(&schema.Footer{}), r.output.queue.close())
				r.output.queue = nil
			}
			if err = errors.Join(err, test.do(path)); err != nil {
				t.Fatal(err)
			}
			if late {
				err = r.output.close()
			} else {
				err = r.finish(&schema.Footer{})
			}
			if err == nil && test.want != "" || err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%s, late %v: %v, want %q", test.name, late, err, test.want)
			}
			if strings.Contains(test.want, "lost") && (r.output.wholeEvents != 0 || !errors.As(err, new(*tracefile.RefusedError))) {
				t.Errorf("%s: %d events are said to be kept: %v", test.name, r.output.wholeEvents, err)
			}
		}
	}
}

// Each event that was read is in the file or lost, also where the disk is full: those before the frame that
// could not be written, those of it, and those after it.
func TestFullDiskLosesEvents(t *testing.T) {
	for _, room := range []uint64{0, 1, 1 << 20} {
		r := newOneFile(t, Config{Output: filepath.Join(t.TempDir(), "run.pb")})
		write := r.output.queue.write
		r.output.queue.write = func(frame []byte, events uint64) error {
			if events > 2*room {
				return unix.ENOSPC
			}
			return write(frame, events)
		}
		for at := uint64(1001); at < 1011; at += 2 {
			r.writer.flushed = time.Time{} // so that each turn ends its frame
			r.recordEvents(at, at+1)
		}
		footer := &schema.Footer{EndNs: 1 << 40, EndedBy: "command"}
		r.writer.writeRest()
		err := r.finish(footer)
		got := r.result(footer)
		kept := min(2*room, 10)
		if errors.Is(err, unix.ENOSPC) != (kept < 10) || got.Events != kept || got.Events+got.Lost != 10 {
			t.Errorf("room for %d frames: %d events, %d lost, %v", room, got.Events, got.Lost, err)
		}
	}
}
