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

// modular returns a kernel whose drivers for disks and file systems are modules, the first one named by
// DTREC_OTHER_KERNELS.
func modular(t *testing.T) bed {
	t.Helper()
	files := filepath.SplitList(os.Getenv("DTREC_OTHER_KERNELS"))
	if len(files) == 0 {
		t.Fatal("DTREC_OTHER_KERNELS names no kernel image: set it from scripts/fetch-kernel 6.12/amd64")
	}
	return bed{files[0], guestProgram}
}

// TestKernelModular checks that such a kernel with its modules works like any other.
func TestKernelModular(t *testing.T) {
	t.Parallel()
	b := modular(t)
	r := b.must(t, 0, Config{FS: FSOverlay}, "facts")
	checkMounts(t, r.stdout, "/tmp overlay", "/work overlay", "/.dtrec/tmp ext4", "/mnt/loopfs ext2", "/mnt/casefold ext4")
}

// TestKernelBuses attaches the disks by the buses that none of the kernels here prefers, and by all buses at
// once.
func TestKernelBuses(t *testing.T) {
	t.Parallel()
	b := modular(t)
	for _, list := range [][]*bus{buses[2:3], buses[3:4], buses} {
		r := b.must(t, 0, Config{buses: list}, "facts")
		checkMounts(t, r.stdout, "/tmp ext4", "/work ext4", "/mnt/loopfs ext2")
	}
}

func checkMounts(t *testing.T, facts string, mounts ...string) {
	t.Helper()
	for _, want := range mounts {
		if !strings.Contains(facts, "mount "+want+"\n") {
			t.Errorf("no mount %s in:\n%s", want, facts)
		}
	}
}

// TestKernelImageAlone checks a kernel without its modules, which has no driver for a disk. The run is then
// on tmpfs, which is reported, and its outputs still come back; but if the user asks for ext4 it is an error.
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
	var told []string
	b.must(t, 0, Config{Outputs: []string{"facts"}, Notice: func(s string) { told = append(told, s) }}, "facts-file")
	checkMounts(t, read(t, "facts"), "/tmp tmpfs", "/work tmpfs", "/mnt/loopfs tmpfs")
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
