// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"
)

// The guest's users.
const (
	passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n"
	group  = "root:x:0:\nnogroup:x:65534:\n"
)

// initramfs writes the guest's first file system: devices for the kernel to start init with, the program, the job,
// and the files taken along, which Init moves to their places once the disks are mounted.
func initramfs(w io.Writer, l load) error {
	a := &archive{w: cpio.Newc.Writer(w), has: map[string]bool{}, arch: l.arch}
	j := l.job
	for _, m := range l.modules {
		j.Modules.Load = append(j.Modules.Load, path.Join(modulesPath, m.name+".ko"))
	}
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	steps := []func() error{
		func() error { return a.add(cpio.CharDev("dev/console", 0o600, 5, 1)) },
		func() error { return a.add(cpio.CharDev("dev/null", 0o666, 1, 3)) },
		func() error { return a.file(l.program, j.Program, 0o755) },
		func() error { return a.add(cpio.Symlink("init", j.Program)) },
		func() error { return a.add(cpio.StaticFile(trimRoot(jobPath), string(text), 0o600)) },
		func() error { return a.add(cpio.Directory(trimRoot(homeDir), 0o700)) },
		func() error { return a.add(cpio.StaticFile("etc/passwd", passwd, 0o644)) },
		func() error { return a.add(cpio.StaticFile("etc/group", group, 0o644)) },
		func() error { return a.addFiles(l.files) },
		func() error { return a.addModules(l.modules) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return cpio.WriteTrailer(a.w)
}

// load is what goes into the initramfs.
type load struct {
	arch    *arch
	program string
	files   []File
	modules []module
	job     job
}

// archive is a cpio archive in the making. Directories come before what is in them, and nothing comes twice.
type archive struct {
	w    cpio.RecordWriter
	has  map[string]bool // names written, without a leading slash
	ino  uint64
	arch *arch
}

// add writes one record and, before it, the directories it is in.
func (a *archive) add(r cpio.Record) error {
	if parent := path.Dir(r.Name); parent != "." && !a.has[parent] {
		if err := a.add(cpio.Directory(parent, 0o755)); err != nil {
			return err
		}
	}
	if a.has[r.Name] {
		if r.Mode&cpio.S_IFMT == cpio.S_IFDIR {
			return nil
		}
		return fmt.Errorf("/%s: taken along twice", r.Name)
	}
	a.has[r.Name] = true
	a.ino++
	r.Ino, r.NLink = a.ino, 1
	if err := a.w.WriteRecord(r); err != nil {
		return fmt.Errorf("initramfs: /%s: %w", r.Name, err)
	}
	return nil
}

// file adds a regular file of the host.
func (a *archive) file(host, guest string, mode fs.FileMode) error {
	f, err := os.Open(host)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() >= 1<<32 {
		return fmt.Errorf("%s: %d bytes are too much for an initramfs", host, info.Size())
	}
	return a.add(cpio.Record{
		ReaderAt: io.NewSectionReader(f, 0, info.Size()),
		Info: cpio.Info{
			Name: trimRoot(guest), Mode: cpio.S_IFREG | uint64(mode.Perm()),
			FileSize: uint64(info.Size()), MTime: uint64(info.ModTime().Unix()),
		},
	})
}

// addFiles adds the files taken along, under the staging directory.
func (a *archive) addFiles(files []File) error {
	for _, f := range files {
		guest, err := f.place()
		if err != nil {
			return err
		}
		if err := a.tree(f.Host, stagingPath+guest); err != nil {
			return fmt.Errorf("file to take along: %w", err)
		}
	}
	for _, f := range files {
		if err := a.checkRuns(f.Host); err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) addModules(list []module) error {
	for _, m := range list {
		if err := a.add(cpio.StaticFile(trimRoot(path.Join(modulesPath, m.name+".ko")), string(m.text), 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// place is the file's path in the guest.
func (f File) place() (string, error) {
	guest := f.Guest
	if guest == "" {
		guest = f.Host
	}
	if f.Host == "" {
		return "", errors.New("a file to take along without a name")
	}
	if !path.IsAbs(guest) && !filepath.IsLocal(guest) {
		return "", fmt.Errorf("%s: leads out of the working directory: say where it goes in the guest", guest)
	}
	return guestPath(guest), nil
}

// tree adds a file, or a directory with all that is in it. Symbolic links below stay links; host itself is followed.
func (a *archive) tree(host, guest string) error {
	return walk(host, func(name, relative string, info fs.FileInfo) error {
		return a.entry(name, path.Join(guest, relative), info)
	})
}

// walk calls each for a file, or for a directory and all that is in it, with its path below root.
func walk(root string, each func(name, relative string, info fs.FileInfo) error) error {
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return err
	}
	return filepath.WalkDir(resolved, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(resolved, name)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return each(name, relative, info)
	})
}

func (a *archive) entry(host, guest string, info fs.FileInfo) error {
	switch info.Mode().Type() {
	case 0:
		return a.file(host, guest, info.Mode())
	case fs.ModeDir:
		return a.add(cpio.Directory(trimRoot(guest), uint64(info.Mode().Perm())))
	case fs.ModeSymlink:
		target, err := os.Readlink(host)
		if err != nil {
			return err
		}
		return a.add(cpio.Symlink(trimRoot(guest), target))
	}
	return fmt.Errorf("%s: neither a file, a directory nor a link", host)
}

// checkRuns refuses a program taken along whose dynamic loader is not. What is no program at all is data, and welcome.
func (a *archive) checkRuns(host string) error {
	loader, err := interpreter(host, a.arch)
	if err != nil || loader == "" || a.has[trimRoot(stagingPath+path.Clean(loader))] {
		return nil
	}
	return fmt.Errorf("%s: %w: link it with -static, or take %s and its libraries along", host, ErrNotStatic, loader)
}

// trimRoot is the name of an absolute path in an archive.
func trimRoot(p string) string { return strings.TrimPrefix(path.Clean(p), "/") }

// initramfsFile writes the initramfs to a file.
func initramfsFile(name string, l load) error {
	var b bytes.Buffer
	if err := initramfs(&b, l); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o600)
}
