// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"archive/tar"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeModular is a fake guest whose kernel has no driver for a disk: its modules.builtin is empty.
func fakeModular(t *testing.T, body string) Config {
	t.Helper()
	c := fakeQEMU(t, body)
	c.Modules = filepath.Join(t.TempDir(), "modules")
	put(t, nil, c.Modules, "modules.builtin")
	return c
}

// A guest without drivers for disks gets no disks, and sends its outputs over the control port.
func TestRunWithoutDisk(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	writeArchive(t, "archive", tar.Header{Name: "0", Typeflag: tar.TypeReg, Mode: 0o600, Size: 5})
	archive := []byte(textOf(t, "archive"))
	said := ""
	for chunk := range slices.Chunk(archive, 4000) {
		said += fmt.Sprintf("echo '{\"Chunk\":%q}' >&6; ", base64.StdEncoding.EncodeToString(chunk))
	}
	c := fakeModular(t, `case "$*" in *blockdev*) exit 1 ;; esac; `+sayAlive+`echo '{"Notice":"on tmpfs"}' >&6; `+said+
		fmt.Sprintf(`echo '{"Done":true,"Size":%d}' >&6`, len(archive)))
	c.Outputs = []string{"run1.pb"}
	var told []string
	c.Notice = func(s string) { told = append(told, s) }
	if code, err := Run(t.Context(), c); err != nil || code != 0 {
		t.Fatalf("got exit code %d and %v, want 0", code, err)
	}
	if got := textOf(t, "run1.pb"); got != "xxxxx" {
		t.Errorf("got output %q", got)
	}
	if !slices.Contains(told, "on tmpfs") {
		t.Errorf("told %q", told)
	}
}

func textOf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A requested file system for which the kernel has no driver is an error that says so, and not a failure of
// the guest.
func TestRunLacks(t *testing.T) {
	c := fakeModular(t, sayAlive+`echo '{"Error":"ext4 is not possible: no ext4 (CONFIG_EXT4_FS)","Lacks":true}' >&6`)
	c.FS = FSExt4
	_, err := Run(t.Context(), c)
	if !errors.Is(err, ErrLacks) || errors.As(err, new(*GuestError)) || !strings.Contains(err.Error(), "CONFIG_EXT4_FS") {
		t.Errorf("got %v, want ErrLacks", err)
	}
}
