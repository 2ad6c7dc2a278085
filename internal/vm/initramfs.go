// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
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

// initramfs writes the guest's first file system: the devices that the kernel needs to start init, the
// program, the job, and the files taken along, which Init moves to their places once the disks are mounted.
func initramfs(w io.Writer, p plan) error {
	a := &archive{w: cpio.Newc.Writer(w), names: map[string]bool{}, hosts: map[string]fs.FileInfo{}, arch: p.arch}
	j := p.job
	for _, m := range p.modules {
		j.Modules.Load = append(j.Modules.Load, path.Join(modulesPath, m.name+".ko"))
	}
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	a.add(cpio.CharDev("dev/console", 0o600, 5, 1))
	a.add(cpio.CharDev("dev/null", 0o666, 1, 3))
	a.addFile(p.program, j.Program, 0o755)
	a.add(cpio.Symlink("init", j.Program))
	a.add(cpio.StaticFile(trimRoot(jobPath), string(text), 0o600))
	a.add(cpio.Directory(trimRoot(stagingPath), 0o755))
	a.add(cpio.Directory(trimRoot(homeDir), 0o700))
	a.add(cpio.StaticFile("etc/passwd", passwd, 0o644))
	a.add(cpio.StaticFile("etc/group", group, 0o644))
	for _, f := range p.Files {
		a.addTaken(f)
	}
	taken := maps.Clone(a.names)
	for _, f := range p.Files {
		a.addLibraries(f.Host, taken)
	}
	for i, m := range p.modules {
		a.add(cpio.StaticFile(trimRoot(j.Modules.Load[i]), string(m.text), 0o600))
	}
	if a.err != nil {
		return a.err
	}
	return cpio.WriteTrailer(a.w)
}

// archive is a cpio archive being written. Directories come before their contents, and nothing comes twice.
// After an error nothing more is added.
type archive struct {
	w     cpio.RecordWriter
	names map[string]bool        // names written, without a leading slash
	hosts map[string]fs.FileInfo // of the files taken along, by their place in the guest
	ino   uint64
	arch  *arch
	err   error
}

func (a *archive) setErr(err error) {
	if a.err == nil {
		a.err = err
	}
}

// add writes one record, preceded by the directories it is in.
func (a *archive) add(r cpio.Record) {
	if parent := path.Dir(r.Name); parent != "." && !a.names[parent] {
		a.add(cpio.Directory(parent, 0o755))
	}
	switch directory := r.Mode&cpio.S_IFMT == cpio.S_IFDIR; {
	case a.err != nil, a.names[r.Name] && directory:
		return
	case a.names[r.Name]:
		a.setErr(fmt.Errorf("/%s: two files of the host go there", strings.TrimPrefix(r.Name, trimRoot(stagingPath)+"/")))
		return
	}
	a.names[r.Name] = true
	a.ino++
	r.Ino, r.NLink = a.ino, 1
	if err := a.w.WriteRecord(r); err != nil {
		a.setErr(fmt.Errorf("initramfs: /%s: %w", r.Name, err))
	}
}

// addFile adds a regular file of the host.
func (a *archive) addFile(host, guest string, mode fs.FileMode) {
	text, err := os.ReadFile(host)
	switch {
	case err != nil:
		a.setErr(err)
	case len(text) >= 1<<32:
		a.setErr(fmt.Errorf("%s: %d bytes are too much for an initramfs", host, len(text)))
	}
	a.add(cpio.StaticRecord(text, cpio.Info{Name: trimRoot(guest), Mode: cpio.S_IFREG | uint64(mode.Perm())}))
}

// addTaken adds a file taken along, or a directory with all its contents, below the staging directory. Symbolic
// links in a directory stay links; if the file itself is a link, it is followed. A file that is there already, by its
// own name or with another directory, is not written again.
func (a *archive) addTaken(f File) {
	guest, err := f.pathInGuest()
	if err != nil {
		a.setErr(err)
		return
	}
	err = walk(f.Host, func(name, relative string, info fs.FileInfo) error {
		place := path.Join(stagingPath, guest, relative)
		host, err := os.Stat(name) // a link to nothing is written as it is
		if there := a.hosts[place]; err == nil && there != nil && os.SameFile(there, host) {
			return nil
		}
		a.hosts[place] = host
		return a.addEntry(name, place, info)
	})
	if err != nil {
		a.setErr(fmt.Errorf("file to take along: %w", err))
	}
}

// pathInGuest returns the file's path in the guest.
func (f File) pathInGuest() (string, error) {
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

// walk calls each for a file, or for a directory and everything in it, with the path relative to root.
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

func (a *archive) addEntry(host, guest string, info fs.FileInfo) error {
	switch info.Mode().Type() {
	case 0:
		a.addFile(host, guest, info.Mode())
	case fs.ModeDir:
		a.add(cpio.Directory(trimRoot(guest), uint64(info.Mode().Perm())))
	case fs.ModeSymlink:
		target, err := os.Readlink(host)
		if err != nil {
			return err
		}
		a.add(cpio.Symlink(trimRoot(guest), target))
	default:
		return fmt.Errorf("%s: neither a file, a directory nor a link", host)
	}
	return a.err
}

// addLibraries takes the libraries of a program along, unless its dynamic loader is among the files taken along by name:
// who does that has the libraries there too. Nothing is added for a file that is not a program.
func (a *archive) addLibraries(program string, taken map[string]bool) {
	header, loader, err := programOf(program)
	if err != nil || a.arch.runs(header) != nil || loader == "" || taken[trimRoot(stagingPath+path.Clean(loader))] {
		return
	}
	files, err := librariesOf(program, loader)
	if err != nil {
		a.setErr(fmt.Errorf("%s: %w: %w", program, ErrNoLibraries, err))
		return
	}
	for _, f := range files {
		if !a.names[trimRoot(stagingPath+f)] {
			a.addFile(f, stagingPath+f, 0o755)
		}
	}
}

// trimRoot returns the name that an absolute path has in an archive.
func trimRoot(p string) string { return strings.TrimPrefix(path.Clean(p), "/") }
