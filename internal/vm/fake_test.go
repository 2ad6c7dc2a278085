// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// fakeScript stands in for QEMU. It gets the console, the job's stdout and stderr and the control port as
// descriptors 3 to 6, the kernel and the initramfs as 7 and 8, and the disks as 9 to 12, the last for the outputs.
const fakeScript = `#!/bin/sh
case "$*" in
--version) echo "QEMU emulator version ${FAKE_VERSION:-10.0.2} (fake)"; exit 0 ;;
esac
echo "booting" >&3
%s
`

// fakeQEMU puts a QEMU that does what body says, and a mke2fs that does nothing, at the head of the PATH. It returns
// a configuration that runs it, and makes sure that nothing is left in the temporary directory.
func fakeQEMU(t *testing.T, body string) Config {
	t.Helper()
	bin, tmp := t.TempDir(), t.TempDir()
	writeExecutable(t, filepath.Join(bin, arches[0].qemu), fmt.Sprintf(fakeScript, body))
	writeExecutable(t, filepath.Join(bin, "mke2fs"), "#!/bin/sh\n")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("TMPDIR", tmp)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Cleanup(func() {
		if left, _ := os.ReadDir(tmp); len(left) > 0 {
			t.Errorf("left in the temporary directory: %v", left)
		}
	})
	return Config{Kernel: fakeKernel(t), Program: fakeELF(t, ""), Accel: accelTCG}
}

func writeExecutable(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// fakePlan is what a fake guest boots.
func fakePlan(t *testing.T, c Config) plan {
	t.Helper()
	k, err := openKernel(c.Kernel, c.Modules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	p, err := c.plan(k)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fakeKernel is a file with no more than the header of a kernel image.
func fakeKernel(t *testing.T) string {
	t.Helper()
	image := make([]byte, 5*512)
	copy(image[0x202:], "HdrS\x0f\x02")
	image[0x236] = 1
	binary.LittleEndian.PutUint16(image[0x20e:], 0x100)
	copy(image[0x300:], "6.1.0-99-cloud-amd64 (someone@somewhere) #1 SMP\x00")
	name := filepath.Join(t.TempDir(), "vmlinuz")
	if err := os.WriteFile(name, image, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// fakeELF is an x86-64 executable of headers only, which asks for a loader unless that is empty.
func fakeELF(t *testing.T, loader string) string {
	t.Helper()
	const headers = 64 + 56
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56,
		Phnum: 1, Shentsize: 64,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	program := elf.Prog64{Type: uint32(elf.PT_LOAD)}
	if loader != "" {
		size := uint64(len(loader) + 1)
		program = elf.Prog64{Type: uint32(elf.PT_INTERP), Off: headers, Filesz: size, Memsz: size}
	}
	var b bytes.Buffer
	for _, part := range []any{header, program, append([]byte(loader), 0)} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "prog")
	writeExecutable(t, name, b.String())
	return name
}
