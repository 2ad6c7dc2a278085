// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"compress/gzip"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// image is what a kernel image says about itself.
type image struct {
	arch    *arch
	release string // what uname -r will print
	// unpacked is the image in the form that QEMU loads, if the file is compressed; otherwise nil.
	unpacked []byte
}

// KernelRelease returns the release (what uname -r prints) that a kernel image names. The error wraps
// ErrNotBootable if the file is not a kernel image.
func KernelRelease(kernel string) (string, error) {
	i, err := readImage(kernel)
	return i.release, err
}

// maxImage bounds a kernel image in bytes, compressed or not.
const maxImage = 512 << 20

// readImage identifies a kernel image: a bzImage, or an arm64 Image that is plain, in gzip, or in an EFI
// zboot wrapper.
func readImage(name string) (image, error) {
	f, err := os.Open(name)
	if err != nil {
		return image{}, fmt.Errorf("kernel: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxImage {
		return image{}, fmt.Errorf("%s: %w", name, ErrNotBootable)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return image{}, fmt.Errorf("kernel: %w", err)
	}
	i, err := identify(text)
	if err != nil {
		return image{}, fmt.Errorf("%s: %w", name, err)
	}
	return i, nil
}

func identify(text []byte) (image, error) {
	at := func(offset int, magic string) bool {
		return len(text) >= offset+len(magic) && string(text[offset:offset+len(magic)]) == magic
	}
	switch {
	case at(0x202, "HdrS"):
		return identifyX86(text)
	case at(0x38, "ARM\x64"):
		return identifyARM64(text)
	case at(0, "\x1f\x8b"), at(4, "zimg"):
		return identifyPacked(text)
	case at(0, "\x7fELF"):
		return image{}, fmt.Errorf("%w: an ELF vmlinux; name the image made of it, %s", ErrNotBootable, arches[0].images[0])
	case at(0x38, "RSC\x05"):
		return image{}, otherArch("riscv64")
	case at(0x24, "\x18\x28\x6f\x01"):
		return image{}, otherArch("32-bit arm")
	}
	return image{}, ErrNotBootable
}

func otherArch(name string) error {
	return fmt.Errorf("%w: it is for %s, and dtrec boots %s", ErrNotBootable, name, archNames())
}

// identifyX86 reads the header of Linux's boot protocol (Documentation/arch/x86/boot.rst).
func identifyX86(text []byte) (image, error) {
	const loadFlags64 = 1 // XLF_KERNEL_64
	if len(text) < 0x260 {
		return image{}, truncated(len(text), 0x260)
	}
	setup := int(text[0x1f1])
	if setup == 0 {
		setup = 4
	}
	if whole := (setup+1)*512 + 16*int(binary.LittleEndian.Uint32(text[0x1f4:])); len(text) < whole {
		return image{}, truncated(len(text), whole)
	}
	if protocol := binary.LittleEndian.Uint16(text[0x206:]); protocol >= 0x20c && text[0x236]&loadFlags64 == 0 {
		return image{}, otherArch("32-bit x86")
	}
	version := text[min(len(text), int(binary.LittleEndian.Uint16(text[0x20e:]))+0x200):]
	version, _, _ = bytes.Cut(version[:min(len(version), 256)], []byte{0})
	release, _, _ := strings.Cut(string(version), " ")
	return image{arch: arches[0], release: release}, nil
}

func truncated(have, want int) error {
	return fmt.Errorf("%w: cut off, %d bytes of %d", ErrNotBootable, have, want)
}

// identifyARM64 reads the header of Documentation/arch/arm64/booting.rst. The header does not name the
// release, so the banner is searched for it.
func identifyARM64(text []byte) (image, error) {
	const bigEndian = 1
	if text[0x18]&bigEndian != 0 {
		return image{}, otherArch("big-endian arm64")
	}
	if p, err := pe.NewFile(bytes.NewReader(text)); err == nil {
		for _, s := range p.Sections {
			if whole := int(s.Offset) + int(s.Size); len(text) < whole {
				return image{}, truncated(len(text), whole)
			}
		}
	}
	m := regexp.MustCompile(`Linux version (\d+\.\d+[^\s%]*) `).FindSubmatch(text) // the beginning of linux_banner
	if m == nil {
		return image{}, fmt.Errorf("%w: no \"Linux version\" in it", ErrNotBootable)
	}
	return image{arch: arches[1], release: string(m[1])}, nil
}

// identifyPacked unpacks an Image.gz, or a zboot image (drivers/firmware/efi/libstub/zboot-header.S).
func identifyPacked(text []byte) (image, error) {
	if string(text[:2]) == "MZ" {
		if len(text) < 0x40 {
			return image{}, truncated(len(text), 0x40)
		}
		from, size := int(binary.LittleEndian.Uint32(text[8:])), int(binary.LittleEndian.Uint32(text[12:]))
		if len(text) < from+size {
			return image{}, truncated(len(text), from+size)
		}
		text = text[from : from+size]
	}
	unpacked, err := decompress(text)
	if err != nil {
		return image{}, fmt.Errorf("%w: %w", ErrNotBootable, err)
	}
	if len(unpacked) < 0x40 || string(unpacked[0x38:0x3c]) != "ARM\x64" {
		return image{}, ErrNotBootable
	}
	i, err := identifyARM64(unpacked)
	i.unpacked = unpacked
	return i, err
}

// decompress unpacks gzip, xz and zstd; anything else is returned unchanged.
func decompress(text []byte) ([]byte, error) {
	r, err := decompressor(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	unpacked, err := io.ReadAll(io.LimitReader(r, maxImage+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("cut off after %d bytes", len(text))
	case err != nil:
		return nil, err
	case len(unpacked) > maxImage:
		return nil, fmt.Errorf("more than %d bytes", maxImage)
	}
	return unpacked, nil
}

func decompressor(r io.ReadSeeker) (io.Reader, error) {
	var magic [6]byte
	n, _ := io.ReadFull(r, magic[:])
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	switch begins := string(magic[:n]); {
	case strings.HasPrefix(begins, "\x1f\x8b"):
		return gzip.NewReader(r)
	case begins == "\xfd7zXZ\x00":
		return xz.NewReader(r)
	case strings.HasPrefix(begins, "\x28\xb5\x2f\xfd"):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return r, nil
}
