// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo terminal. Said closes it and returns what was written to it.
func terminal(t *testing.T) (tty *os.File, said func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals: ", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	all := make(chan string, 1)
	go func() {
		var b bytes.Buffer
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			b.Write(buf[:n])
			if err != nil {
				all <- b.String()
				return
			}
		}
	}()
	return tty, func() string { tty.Close(); return <-all }
}

// TestPager checks that output on a terminal goes through a pager, with colors, unless that is not
// wanted or not possible.
func TestPager(t *testing.T) {
	sample := samples(t)[0]
	paged := filepath.Join(t.TempDir(), "paged")
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	for _, c := range []struct {
		pager string
		args  []string
		paged bool
	}{
		{"cat > " + paged, []string{"replay", sample}, true},
		{"cat > " + paged, []string{"summary", sample}, true},
		{"cat > " + paged, []string{"doctor"}, true},
		{"head -n 1 > " + paged, []string{"replay", sample}, true}, // a pager that ends early
		{"nosuchpager", []string{"summary", sample}, false},
		{"cat > " + paged, []string{"replay", "--no-pager", sample}, false},
		{"cat > " + paged, []string{"export", sample}, false},
	} {
		os.Remove(paged)
		t.Setenv("DTREC_PAGER", c.pager)
		tty, said := terminal(t)
		if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 80}); err != nil {
			t.Skip(err)
		}
		if code := Run(c.args, strings.NewReader(""), tty, os.Stderr); code != 0 && c.args[0] != "doctor" {
			t.Errorf("%q %v: exit %d", c.pager, c.args, code)
		}
		direct := said()
		text, err := os.ReadFile(paged)
		if (err == nil && len(text) > 0) != c.paged || c.paged && len(direct) > 0 {
			t.Errorf("%q %v: %d bytes paged, %d on the terminal", c.pager, c.args, len(text), len(direct))
		}
		if c.paged && c.args[0] == "replay" && !strings.Contains(c.pager, "head") && !bytes.Contains(text, []byte("\x1b[2m")) {
			t.Errorf("%v: no colors in the pager", c.args)
		}
	}
}
