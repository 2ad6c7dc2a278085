// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

const (
	arMagic  = "!<arch>\n"
	arHeader = 60 // size in bytes of the header before each member: name 16, …, size 10 at 48, "`\n"
)

// isDeb reports whether a file is an ar archive, as Debian packages are.
func isDeb(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [len(arMagic)]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && string(magic[:]) == arMagic
}

// unpackDeb unpacks the files of a package that a guest may need: the image, modules, and the files that
// describe them.
func unpackDeb(name, dir string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := debData(f)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	r, err := decompressor(data)
	if err != nil {
		return err
	}
	for t := tar.NewReader(r); ; {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not a whole package: %w", err)
		}
		if file := path.Clean(header.Name); header.Typeflag == tar.TypeReg && packageFiles().MatchString(file) {
			if err := writeBelow(root, file, t, maxImage); err != nil {
				return err
			}
		}
	}
}

// debData returns the member data.tar.* of a package.
func debData(f *os.File) (*io.SectionReader, error) {
	for at := int64(len(arMagic)); ; {
		var header [arHeader]byte
		if _, err := f.ReadAt(header[:], at); err != nil {
			return nil, errors.New("not a whole package: no data.tar in it")
		}
		size, err := strconv.ParseInt(strings.TrimSpace(string(header[48:58])), 10, 64)
		if err != nil || size < 0 {
			return nil, errors.New("not a sound package: a member without a size")
		}
		at += arHeader
		if info, err := f.Stat(); err != nil || info.Size() < at+size {
			return nil, errors.New("not a whole package: cut off")
		}
		if strings.HasPrefix(string(header[:16]), "data.tar") {
			return io.NewSectionReader(f, at, size), nil
		}
		at += size + size%2
	}
}

// moduleParts are the directories of a module tree with the drivers for disks, filesystems and ports, and
// what these depend on. The scripts that fetch kernels keep the same ones.
var moduleParts = []string{
	"arch", "crypto", "fs", "lib", "drivers/ata", "drivers/block", "drivers/cdrom", "drivers/char", "drivers/md",
	"drivers/nvme", "drivers/pci", "drivers/scsi", "drivers/tty", "drivers/virtio",
}

// packageFiles matches the files of a package that a guest may need.
var packageFiles = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(usr/)?(boot/vmlinuz-|lib/modules/[^/]+/(vmlinuz$|modules\.|kernel/(` + strings.Join(moduleParts, "|") + `)/))`)
})

// writeBelow writes a file of at most limit bytes.
func writeBelow(root *os.Root, file string, r io.Reader, limit int64) error {
	if err := root.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	w, err := root.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if n, copied := io.Copy(w, io.LimitReader(r, limit+1)); copied != nil {
		err = copied
	} else if n > limit {
		err = fmt.Errorf("%s in it has more than %d bytes", printable(file), limit)
	}
	return errors.Join(err, w.Close())
}
