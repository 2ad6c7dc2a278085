// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const armBanner = "Linux version 6.12.9-arm (someone@somewhere) #1 SMP\n"

// armImage returns the header of an arm64 Image, followed by the banner.
func armImage() []byte {
	text := make([]byte, 0x100)
	copy(text[0x38:], "ARM\x64")
	return append(text, "Linux version %s \x00"+armBanner...)
}

func zipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zboot returns an EFI zboot image with this payload.
func zboot(payload []byte) []byte {
	text := make([]byte, 0x40)
	copy(text, "MZ\x00\x00zimg")
	binary.LittleEndian.PutUint32(text[8:], 0x40)
	binary.LittleEndian.PutUint32(text[12:], uint32(len(payload)))
	return append(text, payload...)
}

// whole returns a bzImage with 16*size bytes after its setup.
func whole(size uint32, flags byte) []byte {
	text := make([]byte, 5*512+16*size)
	copy(text[0x202:], "HdrS\x0f\x02")
	binary.LittleEndian.PutUint32(text[0x1f4:], size)
	binary.LittleEndian.PutUint16(text[0x20e:], 0x100)
	text[0x236] = flags
	copy(text[0x300:], "6.1.7 (someone@somewhere) #1\x00")
	return text
}

func TestIdentify(t *testing.T) {
	bigEndian := armImage()
	bigEndian[0x18] = 1
	packed := zipped(t, armImage())
	tests := []struct {
		name    string
		text    []byte
		arch    string
		release string // or, if arch is empty, part of the error
	}{
		{"bzImage", whole(100, 1), "x86_64", "6.1.7"},
		{"bzImage with a signature behind it", append(whole(100, 1), "signature"...), "x86_64", "6.1.7"},
		{"half a bzImage", whole(100, 1)[:3000], "", "cut off, 3000 bytes of 4160"},
		{"the first bytes of a bzImage", whole(100, 1)[:0x210], "", "cut off"},
		{"32 bits", whole(100, 0), "", "it is for 32-bit x86"},
		{"Image", armImage(), "aarch64", "6.12.9-arm"},
		{"Image.gz", packed, "aarch64", "6.12.9-arm"},
		{"zboot", zboot(packed), "aarch64", "6.12.9-arm"},
		{"half an Image.gz", packed[:len(packed)/2], "", "cut off"},
		{"half a zboot", zboot(packed)[:90], "", "cut off, 90 bytes"},
		{"big-endian", bigEndian, "", "big-endian"},
		{"without a banner", armImage()[:0x100], "", "Linux version"},
		{"something in gzip", zipped(t, []byte("text")), "", "not a bootable"},
		{"riscv64", append(make([]byte, 0x38), "RSC\x05"...), "", "it is for riscv64"},
		{"vmlinux", []byte("\x7fELF..."), "", "bzImage"},
		{"nothing", nil, "", "not a bootable"},
		{"gzip's magic", []byte("\x1f\x8b"), "", "not a bootable"},
	}
	for _, tt := range tests {
		i, err := identify(tt.text)
		if tt.arch == "" {
			if !errors.Is(err, ErrNotBootable) || !strings.Contains(err.Error(), tt.release) {
				t.Errorf("%s: got %v, want ErrNotBootable with %q", tt.name, err, tt.release)
			}
			continue
		}
		if err != nil || i.arch.name != tt.arch || i.release != tt.release {
			t.Errorf("%s: got %+v, %v", tt.name, i, err)
		}
	}
}

// Whatever is cut off or changed in an image, it is either refused or identified.
func FuzzIdentify(f *testing.F) {
	f.Add(whole(2, 1))
	f.Add(armImage())
	f.Add(zboot([]byte("payload")))
	f.Fuzz(func(t *testing.T, text []byte) {
		if i, err := identify(text); (err == nil) != (i.arch != nil) {
			t.Errorf("%+v, %v", i, err)
		}
	})
}

// put writes a file and creates the directories it is in.
func put(t *testing.T, text []byte, name ...string) string {
	t.Helper()
	file := filepath.Join(name...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFindImage(t *testing.T) {
	image := whole(1, 1)
	for _, place := range []string{
		"vmlinuz", "boot/vmlinuz-6.1.7", "lib/modules/6.1.7/vmlinuz", "usr/lib/modules/6.1.7/vmlinuz", "arch/x86/boot/bzImage",
		"arch/arm64/boot/Image", "[a]/bzImage",
	} {
		dir := t.TempDir()
		want := put(t, image, dir, place)
		if strings.HasPrefix(place, "[a]") {
			dir = filepath.Join(dir, "[a]")
		}
		if got, err := findImage(dir); got != want || err != nil {
			t.Errorf("%s: got %q, %v", place, got, err)
		}
	}
}

func TestFindImageRefuses(t *testing.T) {
	if _, err := findImage(t.TempDir()); !errors.Is(err, ErrNotBootable) {
		t.Errorf("an empty directory: %v", err)
	}
	dir := t.TempDir()
	put(t, whole(1, 1), dir, "boot/vmlinuz-6.1")
	put(t, whole(1, 1), dir, "boot/vmlinuz-6.2")
	if _, err := findImage(dir); err == nil || !strings.Contains(err.Error(), "vmlinuz-6.2") {
		t.Errorf("two kernels: %v", err)
	}
	// A file under two names is one kernel.
	dir = t.TempDir()
	put(t, whole(1, 1), dir, "vmlinuz-6.1")
	if err := os.Symlink("vmlinuz-6.1", filepath.Join(dir, "vmlinuz")); err != nil {
		t.Fatal(err)
	}
	if _, err := findImage(dir); err != nil {
		t.Errorf("a link to a kernel beside it: %v", err)
	}
}

// A tree that was built for two architectures yields the image of the one it is configured for.
func TestFindImageConfigured(t *testing.T) {
	dir := t.TempDir()
	put(t, whole(1, 1), dir, "arch/x86/boot/bzImage")
	arm := put(t, armImage(), dir, "arch/arm64/boot/Image")
	if _, err := findImage(dir); err == nil {
		t.Error("one of two architectures is taken without a reason")
	}
	put(t, []byte("#\nCONFIG_ARM64=y\n"), dir, ".config")
	if got, err := findImage(dir); got != arm || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// A kernel of another architecture is booted with the program beside the given one.
func TestProgramOfAnotherArchitecture(t *testing.T) {
	k, err := openKernel(put(t, armImage(), t.TempDir(), "Image"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	given := fakeELF(t, "")
	if _, err := k.program(given); !errors.Is(err, ErrNoProgram) || !strings.Contains(err.Error(), given+"-arm64") {
		t.Errorf("got %v, want ErrNoProgram", err)
	}
	text, err := os.ReadFile(given)
	if err != nil {
		t.Fatal(err)
	}
	text[18], text[19] = 183, 0 // EM_AARCH64
	put(t, text, given+"-arm64")
	if got, err := k.program(given); got != given+"-arm64" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
