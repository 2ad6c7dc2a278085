// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	files   map[string]string
}

// loopFiles is what is on /mnt/loopfs.
var loopFiles = map[string]string{"a.txt": "x\n"}

// disks lists what the guest gets.
func disks() []disk {
	// A sparse file has its zeros already: the inode tables need not be written, here or by the kernel (ext4Options).
	ext4 := []string{"-t", "ext4", "-m", "0", "-N", "65536", "-E", "root_owner=0:0,nodiscard,lazy_itable_init=1"}
	return []disk{
		{serial: tmpDisk, size: ext4Size, options: ext4},
		{serial: workDisk, size: ext4Size, options: ext4},
		{
			serial: loopDisk, size: loopSize, files: loopFiles,
			options: []string{"-t", "ext2", "-E", "root_owner=0:0,nodiscard"},
		},
		{serial: outputDisk, size: outputSize},
		{
			serial: casefoldDisk, size: casefoldSize,
			options: []string{"-t", "ext4", "-O", "casefold,^has_journal", "-E", "root_owner=0:0,nodiscard,lazy_itable_init=1"},
		},
	}
}

// make creates the image in dir, under the name of its serial.
func (d disk) make(ctx context.Context, mke2fs, dir string) error {
	image := filepath.Join(dir, d.serial)
	f, err := os.OpenFile(image, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(d.size), f.Close()); err != nil || d.options == nil {
		return err
	}
	args := append([]string{"-q", "-F"}, d.options...)
	if d.files != nil {
		content := image + ".files"
		if err := writeFiles(content, d.files); err != nil {
			return err
		}
		args = append(args, "-d", content)
	}
	out, err := exec.CommandContext(ctx, mke2fs, append(args, image)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mke2fs: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// writeFiles writes the files a file system starts with.
func writeFiles(dir string, files map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
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
