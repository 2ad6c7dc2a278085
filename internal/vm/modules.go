// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// modules is a tree of kernel modules, as modules_install or the build itself creates it.
type modules struct {
	dir   string
	files map[string]string // name of a module to its path below dir, without .xz and the like
	// builtin has the names of those built into the image; nil if they are not known.
	builtin map[string]bool
}

// module is a module to load.
type module struct {
	name string
	text []byte // an ELF object
}

// openModules reads the list of modules in a tree: from modules.dep, or without depmod from modules.order,
// otherwise from the directory itself. The error wraps os.ErrNotExist if there are no modules.
func openModules(dir string) (*modules, error) {
	m := &modules{dir: dir, files: map[string]string{}}
	if lines, err := readLines(dir, "modules.builtin"); err == nil {
		m.builtin = map[string]bool{}
		for _, line := range lines {
			m.builtin[moduleName(line)] = true
		}
	}
	for _, list := range []string{"modules.dep", "modules.order"} {
		lines, err := readLines(dir, list)
		if err != nil {
			continue
		}
		for _, line := range lines {
			file, _, _ := strings.Cut(line, ":")
			m.add(file)
		}
		return m, nil
	}
	err := filepath.WalkDir(filepath.Join(dir, "kernel"), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.Contains(entry.Name(), ".ko") {
			m.add(strings.TrimPrefix(name, dir+"/"))
		}
		return err
	})
	if err != nil && m.builtin == nil {
		return nil, err
	}
	return m, nil
}

func readLines(dir, name string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	return strings.Fields(string(text)), err
}

// add adds a line of a list: kernel/fs/ext4/ext4.ko.xz or, in a build tree, fs/ext4/ext4.o.
func (m *modules) add(file string) {
	stem, _, _ := strings.Cut(filepath.Base(file), ".")
	m.files[moduleName(file)] = filepath.Join(filepath.Dir(file), stem+".ko")
}

// moduleName returns the kernel's name for a module's file.
func moduleName(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".")
	return strings.ReplaceAll(name, "-", "_")
}

// read returns the content of a module; nil if the tree has none of that name.
func (m *modules) read(name string) ([]byte, error) {
	file, ok := m.files[name]
	if !ok {
		return nil, nil
	}
	for _, below := range []string{file, strings.TrimPrefix(file, "kernel/")} {
		for _, packed := range []string{"", ".xz", ".zst", ".gz"} {
			full := filepath.Join(m.dir, below+packed)
			text, err := os.ReadFile(full)
			if os.IsNotExist(err) {
				continue
			}
			if err == nil {
				text, err = decompress(text)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w: %w", full, ErrModules, err)
			}
			return text, nil
		}
	}
	return nil, nil
}

// has reports whether the kernel has a module, either built in or in the tree.
func (m *modules) has(name string) bool {
	_, listed := m.files[name]
	return m.builtin[name] || listed
}

// collect returns those of the named modules that the tree has, each after the modules it depends on. lacking are
// modules that another one needs and the tree does not have.
func (m *modules) collect(release string, names []string) (list []module, lacking []string, err error) {
	seen := map[string]bool{}
	var take func(name, by string) error
	take = func(name, by string) error {
		if seen[name] || m.builtin[name] {
			return nil
		}
		seen[name] = true
		text, err := m.read(name)
		if err != nil {
			return err
		}
		if text == nil {
			if by != "" && m.builtin != nil {
				lacking = append(lacking, fmt.Sprintf("%s, which %s needs", name, by))
			}
			return nil
		}
		info, err := modinfo(text)
		if err != nil {
			return fmt.Errorf("%s: %w: %s: %w", m.dir, ErrModules, name, err)
		}
		if magic, _, _ := strings.Cut(info["vermagic"], " "); magic != release {
			return fmt.Errorf("%s: %w: of %s, and the kernel is %s", m.dir, ErrModules, magic, release)
		}
		for needed := range strings.FieldsFuncSeq(info["depends"], func(r rune) bool { return r == ',' }) {
			if err := take(moduleName(needed), name); err != nil {
				return err
			}
		}
		list = append(list, module{name, text})
		return nil
	}
	for _, name := range names {
		if err := take(name, ""); err != nil {
			return nil, nil, err
		}
	}
	return list, lacking, nil
}

// modinfo reads the .modinfo section of a module.
func modinfo(text []byte) (map[string]string, error) {
	f, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no .modinfo")
	}
	data, err := section.Data()
	if err != nil {
		return nil, err
	}
	info := map[string]string{}
	for _, entry := range strings.Split(string(data), "\x00") {
		if key, value, ok := strings.Cut(entry, "="); ok {
			info[key] = value
		}
	}
	return info, nil
}
