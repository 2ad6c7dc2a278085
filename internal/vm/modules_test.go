// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// object returns a module with only headers and .modinfo.
func object(t *testing.T, release, depends string) []byte {
	t.Helper()
	const names = "\x00.modinfo\x00.shstrtab\x00"
	info := "depends=" + depends + "\x00vermagic=" + release + " SMP\x00"
	header := elf.Header64{
		Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2,
		Shoff: uint64(64 + len(info) + len(names)),
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] = 2, 1, 1
	sections := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: 64, Size: uint64(len(info))},
		{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(64 + len(info)), Size: uint64(len(names))},
	}
	var b bytes.Buffer
	for _, part := range []any{header, []byte(info + names), sections} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func xzed(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := xz.NewWriter(&b)
	if err == nil {
		_, err = w.Write(text)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t *testing.T, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(text, nil)
}

const release = "6.1.7"

// installed creates a tree like that of modules_install: ext4 needs jbd2 and mbcache, jbd2 needs crc16, which
// is built in.
func installed(t *testing.T, dir string) {
	t.Helper()
	tree := filepath.Join(dir, "lib/modules", release)
	put(t, []byte("kernel/lib/crc16.ko\nkernel/drivers/virtio/virtio-pci.ko\n"), tree, "modules.builtin")
	put(t, xzed(t, object(t, release, "jbd2,mbcache")), tree, "kernel/fs/ext4/ext4.ko.xz")
	put(t, zstded(t, object(t, release, "crc16")), tree, "kernel/fs/jbd2/jbd2.ko.zst")
	put(t, zipped(t, object(t, release, "")), tree, "kernel/fs/mbcache.ko.gz")
	put(t, object(t, release, ""), tree, "kernel/drivers/block/virtio_blk.ko")
}

func loadOrder(list []module) string {
	var names []string
	for _, m := range list {
		names = append(names, m.name)
	}
	return strings.Join(names, " ")
}

func TestModulesInstalled(t *testing.T) {
	dir := t.TempDir()
	installed(t, dir)
	image := put(t, whole(1, 1), dir, "vmlinuz")
	tree := filepath.Join(dir, "lib/modules", release)
	for _, where := range [][2]string{{image, ""}, {dir, ""}, {image, dir}, {image, tree}} {
		k, err := openKernel(where[0], where[1])
		if err != nil {
			t.Fatal(err)
		}
		buses := busesFor(k.modules)
		list, lacking, err := k.modules.collect(k.release, modulesToLoad(buses, ""))
		k.Close()
		if got, want := loadOrder(list), "virtio_blk jbd2 mbcache ext4"; got != want || err != nil || len(lacking) > 0 {
			t.Errorf("%q: got %q, %v, lacking %q, want %q", where, got, err, lacking, want)
		}
		if len(buses) != 1 || buses[0].name != "virtio-blk" {
			t.Errorf("got buses %q", busNames(buses))
		}
	}
}

// The modules of a build tree are found from the tree, and from an image in it, with any spelling of their
// names and any compression.
func TestModulesBuilt(t *testing.T) {
	tree := t.TempDir()
	put(t, []byte("fs/ext4/ext4.o\n"), tree, "modules.order")
	put(t, object(t, release, ""), tree, "fs/ext4/ext4.ko")
	image := put(t, whole(1, 1), tree, "arch/x86/boot/bzImage")
	link := filepath.Join(tree, "arch/x86_64/boot/bzImage")
	if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink("../../x86/boot/bzImage", link)); err != nil {
		t.Fatal(err)
	}
	arm := t.TempDir()
	put(t, []byte("kernel/fs/ext4/ext4.ko\n"), arm, "modules.order") // the format of build trees before 6.3
	put(t, object(t, "6.12.9-arm", ""), arm, "fs/ext4/ext4.ko")
	packed := put(t, zipped(t, armImage()), arm, "arch/arm64/boot/Image.gz")
	for _, name := range []string{tree, image, link, arm, packed} {
		k, err := openKernel(name, "")
		if err != nil {
			t.Fatal(err)
		}
		if k.modules == nil {
			t.Errorf("%s: no modules", name)
		} else if list, _, err := k.modules.collect(k.release, []string{"ext4"}); err != nil || loadOrder(list) != "ext4" {
			t.Errorf("%s: got %q, %v", name, loadOrder(list), err)
		}
		k.Close()
	}
	t.Chdir(filepath.Dir(image))
	k, err := openKernel("bzImage", "")
	if err != nil || k.modules == nil {
		t.Errorf("by a relative path: %v", err)
	}
	k.Close()
}

// Modules are found whether depmod, the build or only the directory lists them.
func TestModulesListed(t *testing.T) {
	for list, text := range map[string]string{
		"modules.dep":   "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz\nkernel/fs/jbd2/jbd2.ko.xz:\n",
		"modules.order": "fs/ext4/ext4.o\nfs/jbd2/jbd2.o\n",
		"none":          "",
	} {
		dir := t.TempDir()
		put(t, []byte(text), dir, list)
		prefix, suffix := "kernel", ".xz"
		pack := func(text []byte) []byte { return xzed(t, text) }
		if list == "modules.order" {
			prefix, suffix, pack = "", "", func(text []byte) []byte { return text }
		}
		put(t, pack(object(t, release, "jbd2")), dir, prefix, "fs/ext4/ext4.ko"+suffix)
		put(t, pack(object(t, release, "")), dir, prefix, "fs/jbd2/jbd2.ko"+suffix)
		m, err := openModules(dir)
		if err != nil {
			t.Fatal(err)
		}
		if found, _, err := m.collect(release, []string{"ext4"}); err != nil || loadOrder(found) != "jbd2 ext4" {
			t.Errorf("%s: got %q, %v", list, loadOrder(found), err)
		}
		if got := busNames(busesFor(m)); len(got) != len(buses) {
			t.Errorf("%s: what is built in is not known, and the buses are %q", list, got)
		}
	}
}

func TestModulesRefused(t *testing.T) {
	dir := t.TempDir()
	image := put(t, whole(1, 1), dir, "vmlinuz") // of release 6.1.7
	other := filepath.Join(dir, "other")
	put(t, object(t, "6.9.9", ""), other, "lib/modules/6.9.9/kernel/fs/ext4/ext4.ko")
	wrong := filepath.Join(dir, "wrong")
	put(t, []byte("fs/ext4/ext4.o\n"), wrong, "modules.order")
	put(t, object(t, "6.9.9", ""), wrong, "fs/ext4/ext4.ko")
	broken := filepath.Join(dir, "broken")
	packed := xzed(t, object(t, release, ""))
	put(t, packed[:len(packed)/2], broken, "lib/modules/6.1.7/kernel/fs/ext4/ext4.ko.xz")
	for dir, want := range map[string]string{
		other: "of 6.9.9, and the kernel is 6.1.7", wrong: "of 6.9.9, and the kernel is 6.1.7", broken: "ext4.ko.xz",
		t.TempDir(): "no modules.builtin",
	} {
		k, err := openKernel(image, dir)
		if err == nil {
			_, err = Config{Program: fakeELF(t, "")}.makePlan(k)
			k.Close()
		}
		if !errors.Is(err, ErrModules) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrModules with %q", err, want)
		}
	}
	if _, err := openKernel(image, filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// A module that another one needs and the tree lacks is reported, and so are the places where modules were
// looked for without success.
func TestModulesLacking(t *testing.T) {
	dir := t.TempDir()
	put(t, nil, dir, "modules.builtin")
	put(t, object(t, release, "jbd2"), dir, "kernel/fs/ext4/ext4.ko")
	m, err := openModules(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, lacking, err := m.collect(release, []string{"ext4", "overlay"})
	if err != nil || !slices.Equal(lacking, []string{"jbd2, which ext4 needs"}) {
		t.Errorf("got lacking %q, %v", lacking, err)
	}
	if busesFor(m) != nil {
		t.Error("a kernel without a driver for disks gets some")
	}
	k, err := openKernel(fakeKernel(t), "")
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	p, err := Config{Program: fakeELF(t, "")}.makePlan(k)
	if err != nil || len(p.job.Modules.Notes) != 1 || !strings.Contains(p.job.Modules.Notes[0], "no modules of 6.1.0-99-cloud-amd64") {
		t.Errorf("got notes %q, %v", p.job.Modules.Notes, err)
	}
}

// The image and the modules that a guest may need are unpacked from a package, and nothing else.
func TestUnpackDeb(t *testing.T) {
	files := map[string]string{
		"./boot/vmlinuz-6.1.7": string(whole(1, 1)), "./lib/modules/6.1.7/modules.builtin": "",
		"./usr/lib/modules/6.1.7/kernel/fs/ext4/ext4.ko": string(object(t, release, "")),
		"./lib/modules/6.1.7/kernel/sound/snd.ko":        "x", "./usr/share/doc/x": "x", "./boot/../../vmlinuz-1": "x",
	}
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for suffix, text := range map[string][]byte{"": data.Bytes(), ".xz": xzed(t, data.Bytes()), ".zst": zstded(t, data.Bytes())} {
		deb := put(t, archived("debian-binary", []byte("2.0\n"), "control.tar.xz", []byte("odd"), "data.tar"+suffix, text), dir, "k.deb")
		k, err := openKernel(deb, "")
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		err = filepath.WalkDir(filepath.Join(k.scratch, "kernel"), func(name string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				found = append(found, filepath.Base(name))
			}
			return err
		})
		k.Close()
		if want := []string{"vmlinuz-6.1.7", "modules.builtin", "ext4.ko"}; err != nil || !slices.Equal(found, want) {
			t.Errorf("data.tar%s: got %q, %v, want %q", suffix, found, err, want)
		}
	}
	half := put(t, archived("data.tar", data.Bytes())[:1000], dir, "half.deb")
	for _, name := range []string{half, put(t, []byte(arMagic), dir, "none.deb"), put(t, archived("control.tar", []byte{}), dir, "control.deb")} {
		if k, err := openKernel(name, ""); err == nil || !strings.Contains(err.Error(), "not a whole package") {
			t.Errorf("%s: got %+v, %v", name, k, err)
		}
	}
}

// archived returns an ar archive; parts are names and contents in turn.
func archived(parts ...any) []byte {
	b := []byte(arMagic)
	for i := 0; i < len(parts); i += 2 {
		text := parts[i+1].([]byte)
		b = append(b, fmt.Sprintf("%-16s%-12d%-6d%-6d%-8d%-10d`\n", parts[i], 0, 0, 0, 0o100644, len(text))...)
		b = append(b, text...)
		if len(text)%2 == 1 {
			b = append(b, '\n')
		}
	}
	return b
}

// scripts/fetch-kernel keeps the same parts of a tree as are unpacked from a package.
func TestFetchedParts(t *testing.T) {
	text, err := os.ReadFile("../../scripts/fetch-kernel")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "readonly PARTS=(")
	list, _, _ := strings.Cut(rest, ")\n")
	plain, drivers, _ := strings.Cut(list, " drivers/{")
	got := strings.Fields(plain)
	for _, d := range strings.Split(strings.TrimSuffix(drivers, "}"), ",") {
		got = append(got, "drivers/"+d)
	}
	if !slices.Equal(got, moduleParts) {
		t.Errorf("got %q, want %q", got, moduleParts)
	}
}
