// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Sizes of the disks in bytes. All are sparse: they take what is written to them.
const (
	ext4Size     = 2 << 30
	loopSize     = 16 << 20
	casefoldSize = 16 << 20
	outputSize   = 4 << 30
)

// disk is an image to make: an empty file system of a kind, or a raw disk.
type disk struct {
	serial  string
	size    int64    // bytes
	options []string // mke2fs's, nil for a raw disk
}

// disks lists what the guest gets.
func disks() []disk {
	// A sparse file has its zeros already: the inode tables need not be written, here or by the kernel (ext4Options).
	const extended = "root_owner=0:0,nodiscard,lazy_itable_init=1"
	ext4 := []string{"-t", "ext4", "-m", "0", "-N", "65536", "-E", extended}
	return []disk{
		{tmpDisk, ext4Size, ext4},
		{workDisk, ext4Size, ext4},
		{loopDisk, loopSize, []string{"-t", "ext2", "-E", "root_owner=0:0,nodiscard"}},
		{outputDisk, outputSize, nil},
		{casefoldDisk, casefoldSize, []string{"-t", "ext4", "-O", "casefold,^has_journal", "-E", extended}},
	}
}

// make makes a file without a name the image.
func (d disk) make(ctx context.Context, mke2fs string, image *os.File) error {
	if err := image.Truncate(d.size); err != nil || d.options == nil {
		return err
	}
	cmd := exec.CommandContext(ctx, mke2fs, append(append([]string{"-q", "-F"}, d.options...), "/proc/self/fd/3")...)
	cmd.ExtraFiles = []*os.File{image}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mke2fs: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// nameless is a new file that is gone when its last descriptor is.
func nameless() (*os.File, error) {
	f, err := os.CreateTemp("", "dtrec-vm-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// findMke2fs looks in the PATH and where a user's PATH does not go.
func findMke2fs() (string, error) {
	for _, name := range []string{"mke2fs", "/usr/sbin/mke2fs", "/sbin/mke2fs"} {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("mke2fs: %w", ErrNoQEMU)
}
