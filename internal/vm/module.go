// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// The file systems that /tmp and the working directory may have.
const (
	FSExt4    = "ext4"
	FSTmpfs   = "tmpfs"
	FSOverlay = "overlay"
)

// Filesystems lists what Config.FS may be, the default first.
func Filesystems() []string { return []string{FSExt4, FSTmpfs, FSOverlay} }

// overlayNames: the kernel's own name of the module, plain or compressed.
var overlayNames = [...]string{"overlay.ko", "overlay.ko.xz", "overlay.ko.zst", "overlay.ko.gz"}

// takeModule takes the overlay module along if the guest may need it and one is found: beside the kernel image, where
// scripts/fetch-kernel puts it, or where the host keeps the modules of that release.
func (c Config) takeModule() Config {
	if c.FS != FSOverlay {
		return c
	}
	dirs := []string{filepath.Dir(c.Kernel)}
	if release, err := KernelRelease(c.Kernel); err == nil {
		dirs = append(dirs, filepath.Join("/lib/modules", release, "kernel/fs/overlayfs"))
	}
	for _, dir := range dirs {
		for _, name := range overlayNames {
			host := filepath.Join(dir, name)
			if info, err := os.Stat(host); err == nil && info.Mode().IsRegular() {
				c.module = name
				c.Files = append(slices.Clip(c.Files), File{Host: host, Guest: c.modulePlace()})
				return c
			}
		}
	}
	return c
}

// modulePlace is the module's path in the guest, empty without one.
func (c Config) modulePlace() string {
	if c.module == "" {
		return ""
	}
	return path.Join("/lib/modules", c.module)
}

// loadModule loads a kernel module; a compressed one is for the kernel to decompress. Debian compresses modules only
// where the kernel can (CONFIG_MODULE_DECOMPRESS, from 5.17).
func loadModule(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	if path.Ext(name) != ".ko" {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	err = unix.FinitModule(int(f.Fd()), "", flags)
	if flags != 0 && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP)) {
		return fmt.Errorf("%w: this kernel cannot decompress it: put it beside the image decompressed", err)
	}
	return err
}
