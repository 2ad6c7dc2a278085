// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package vm

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modular is a kernel that has disks and file systems as modules, which DTREC_MODULAR names.
func modular(t *testing.T) bed {
	t.Helper()
	file := os.Getenv("DTREC_MODULAR")
	if file == "" {
		t.Fatal("DTREC_MODULAR names no kernel image: set it from scripts/fetch-kernel 6.12/amd64")
	}
	return bed{file, guestProgram}
}

// TestKernelModular: with its modules such a kernel is like any other.
func TestKernelModular(t *testing.T) {
	t.Parallel()
	b := modular(t)
	r := b.must(t, 0, Config{FS: FSOverlay}, "facts")
	checkMounts(t, r.stdout, "/tmp overlay", "/work overlay", "/.dtrec/tmp ext4", "/mnt/loopfs ext2", "/mnt/casefold ext4")
}

func checkMounts(t *testing.T, facts string, mounts ...string) {
	t.Helper()
	for _, want := range mounts {
		if !strings.Contains(facts, "mount "+want+"\n") {
			t.Errorf("no mount %s in:\n%s", want, facts)
		}
	}
}

// TestKernelImageAlone: without its modules it drives no disk. The run is on tmpfs then, which is said, and its outputs
// come home all the same; unless the user wants ext4.
func TestKernelImageAlone(t *testing.T) {
	b := modular(t)
	image, err := os.ReadFile(b.kernel)
	if err == nil {
		b.kernel = filepath.Join(t.TempDir(), "vmlinuz")
		err = os.WriteFile(b.kernel, image, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, dir := range []string{"traces"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	b.must(t, 255, Config{
		Files:   []File{{Host: b.program, Guest: "taken/prog"}, {Host: b.program, Guest: "/tmp/prog"}},
		Outputs: []string{"traces/run1.pb", "facts"}, Notice: func(s string) { told = append(told, s) },
	}, "everything")
	checkMounts(t, read(t, "facts"), "/tmp tmpfs", "/work tmpfs", "/mnt/loopfs tmpfs")
	if got := read(t, "traces/run1.pb"); got != strings.Repeat("0123456789abcdef", 1<<18) {
		t.Errorf("traces/run1.pb: %d bytes", len(got))
	}
	if !slices.ContainsFunc(told, func(s string) bool {
		return strings.Contains(s, "on tmpfs") && strings.Contains(s, "CONFIG_VIRTIO_BLK") && strings.Contains(s, "no modules of ")
	}) {
		t.Errorf("told %q", told)
	}
	_, err = b.run(t.Context(), Config{FS: FSExt4}, "facts")
	if !errors.Is(err, ErrLacks) || !strings.Contains(err.Error(), "CONFIG_EXT4_FS") {
		t.Errorf("got %v, want ErrLacks with CONFIG_EXT4_FS", err)
	}
}
