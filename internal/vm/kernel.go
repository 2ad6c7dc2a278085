// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// kernel is what Config.Kernel names: an image and, if they were found, its modules.
type kernel struct {
	image
	file    string   // path of the image for QEMU
	modules *modules // nil if none were found
	scratch string   // directory for unpacked files
}

// openKernel finds out what a path is: an image, a build tree, a directory to which a package was unpacked,
// or a .deb. modules, if not empty, says where the modules are: the directory given to modules_install or its
// lib/modules/RELEASE, a build tree, or a .deb. The kernel must be closed.
func openKernel(name, modules string) (k *kernel, err error) {
	k = &kernel{}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	if k.scratch, err = os.MkdirTemp("", "dtrec-kernel-"); err != nil {
		return k, err
	}
	if name, err = k.unpackIfDeb(name, "kernel"); err != nil {
		return k, err
	}
	if k.file, err = findImage(name); err != nil {
		return k, err
	}
	named := k.file == name
	if k.image, err = readImage(k.file); err != nil {
		return k, err
	}
	if k.image.unpacked != nil {
		k.file = filepath.Join(k.scratch, "Image")
		if err := os.WriteFile(k.file, k.image.unpacked, 0o600); err != nil {
			return k, err
		}
		k.image.unpacked = nil
	}
	if modules != "" {
		return k, k.openNamedModules(modules)
	}
	near := k.moduleDirsBelow(name)
	if named {
		near = k.moduleDirsAround(name)
	}
	k.modules, err = openFirstModules(append(near, "/lib/modules/"+k.release))
	return k, err
}

// Close removes what was unpacked.
func (k *kernel) Close() { _ = os.RemoveAll(k.scratch) }

// unpackIfDeb returns the directory to which a .deb was unpacked, or the name itself if it is not a .deb.
func (k *kernel) unpackIfDeb(name, as string) (string, error) {
	if !isDeb(name) {
		return name, nil
	}
	dir := filepath.Join(k.scratch, as)
	if err := unpackDeb(name, dir); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return dir, nil
}

// packageImages lists where packages have their image, below the directory they were unpacked to or a module
// directory.
var packageImages = []string{
	"vmlinuz", "vmlinuz-*", "boot/vmlinuz-*", "lib/modules/*/vmlinuz", "usr/lib/modules/*/vmlinuz", "Image", "bzImage",
}

// findImage returns the one image in a directory, or the file.
func findImage(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", fmt.Errorf("kernel: %w", err)
	}
	if !info.IsDir() {
		return name, nil
	}
	var found []string
	var seen []os.FileInfo
	for _, pattern := range append(builtImages(name), packageImages...) {
		files, err := fs.Glob(os.DirFS(name), pattern)
		if err != nil {
			return "", err
		}
		for _, file := range files {
			file = filepath.Join(name, file)
			info, err := os.Stat(file)
			known := func(other os.FileInfo) bool { return os.SameFile(info, other) }
			if err == nil && info.Mode().IsRegular() && !slices.ContainsFunc(seen, known) {
				found, seen = append(found, file), append(seen, info)
			}
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s: %w: neither a build tree with an image nor an unpacked package", name, ErrNotBootable)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s: several kernels, name one: %s", name, strings.Join(found, ", "))
}

// builtImages returns the paths of the images in a build tree: that of the architecture it is configured for,
// or if that is not known one for each architecture.
func builtImages(tree string) (images []string) {
	config, _ := os.ReadFile(filepath.Join(tree, ".config"))
	built := arches
	if i := slices.IndexFunc(arches, func(a *arch) bool { return strings.Contains(string(config), "\n"+a.config+"\n") }); i >= 0 {
		built = arches[i : i+1]
	}
	exists := func(image string) bool {
		_, err := os.Stat(filepath.Join(tree, image))
		return err == nil
	}
	for _, a := range built {
		if i := slices.IndexFunc(a.images, exists); i >= 0 {
			images = append(images, a.images[i])
		}
	}
	return images
}

// openNamedModules opens the modules that the user has named.
func (k *kernel) openNamedModules(named string) (err error) {
	if _, err := os.Stat(named); err != nil {
		return fmt.Errorf("%w: %w", ErrModules, err)
	}
	if named, err = k.unpackIfDeb(named, "modules"); err != nil {
		return err
	}
	if k.modules, err = openFirstModules(k.moduleDirsBelow(named)); err != nil || k.modules != nil {
		return err
	}
	if others, _ := os.ReadDir(filepath.Join(named, "lib/modules")); len(others) > 0 {
		return fmt.Errorf("%s: %w: of %s, and the kernel is %s", named, ErrModules, others[0].Name(), k.release)
	}
	return fmt.Errorf("%s: %w: no modules.builtin, modules.order or .ko file for %s in it", named, ErrModules, k.release)
}

// moduleDirsBelow returns where a directory may have this kernel's modules.
func (k *kernel) moduleDirsBelow(dir string) []string {
	return []string{filepath.Join(dir, "lib/modules", k.release), filepath.Join(dir, "usr/lib/modules", k.release), dir}
}

// moduleDirsAround returns where an image's modules may be without being named: in its build tree, or beside the image
// as packages and modules_install put them.
func (k *kernel) moduleDirsAround(image string) []string {
	if resolved, err := filepath.EvalSymlinks(image); err == nil {
		image = resolved // such as arch/x86_64/boot/bzImage
	}
	if absolute, err := filepath.Abs(image); err == nil {
		image = absolute
	}
	for _, built := range k.arch.images {
		if tree, ok := strings.CutSuffix(image, built); ok {
			return []string{filepath.Clean(tree)}
		}
	}
	dir := filepath.Dir(image)
	return append(k.moduleDirsBelow(dir), k.moduleDirsBelow(filepath.Dir(dir))[:2]...)
}

// openFirstModules opens the first of the directories that has modules; nil if none has.
func openFirstModules(dirs []string) (*modules, error) {
	for _, dir := range dirs {
		m, err := openModules(dir)
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return m, err
		}
	}
	return nil, nil
}

// program returns the executable for this kernel's architecture: the given one, or NAME-GOARCH beside it.
func (k *kernel) program(given string) (string, error) {
	file := given
	header, loader, err := programOf(file)
	if err == nil && header.Machine != k.arch.machine {
		file = given + "-" + k.arch.goarch
		header, loader, err = programOf(file)
		if errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("%s: %w: the kernel is for %s, this program for %s", file, ErrNoProgram, k.arch.name, runtime.GOARCH)
		}
	}
	if err == nil {
		err = k.arch.runs(header)
	}
	if err != nil {
		return "", fmt.Errorf("program %s: %w", file, err)
	}
	if loader != "" {
		return "", fmt.Errorf("%s: %w: build it with CGO_ENABLED=0", file, ErrNotStatic)
	}
	return file, nil
}
