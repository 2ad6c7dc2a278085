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

// Sizes of the disks in bytes. All are sparse, so they only take the space of what is written to them.
const (
	ext4Size     = 2 << 30
	loopSize     = 16 << 20
	casefoldSize = 16 << 20
	outputSize   = 4 << 30
)

// disk describes an image to make: an empty file system, or a raw disk.
type disk struct {
	serial  string
	size    int64    // bytes
	options []string // arguments of mke2fs; nil for a raw disk
}

const diskCount = 5

// disks returns the guest's disks.
func disks() [diskCount]disk {
	// A sparse file reads as zeros already, so the inode tables need not be zeroed, neither here nor by the
	// kernel (ext4Options).
	const extended = "root_owner=0:0,nodiscard,lazy_itable_init=1"
	ext4 := []string{"-t", "ext4", "-m", "0", "-N", "65536", "-E", extended}
	return [...]disk{
		{tmpDisk, ext4Size, ext4},
		{workDisk, ext4Size, ext4},
		{loopDisk, loopSize, []string{"-t", "ext2", "-E", "root_owner=0:0,nodiscard"}},
		{outputDisk, outputSize, nil},
		{casefoldDisk, casefoldSize, []string{"-t", "ext4", "-O", "casefold,^has_journal", "-E", extended}},
	}
}

// make turns an empty file into the image.
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

// unlinkedTemp returns a new file without a name, which is gone when its last descriptor is closed.
func unlinkedTemp() (*os.File, error) {
	f, err := os.CreateTemp("", "dtrec-vm-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// findMke2fs looks for mke2fs in the PATH and in directories that a user's PATH often lacks.
func findMke2fs() (string, error) {
	for _, name := range []string{"mke2fs", "/usr/sbin/mke2fs", "/sbin/mke2fs"} {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("mke2fs: %w", ErrNoQEMU)
}
