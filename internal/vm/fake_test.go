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

// fakeScript stands in for QEMU. The console, the job's stdout and stderr and the control port are its
// descriptors 3 to 6, the kernel and the initramfs are 7 and 8, and the disks are 9 to 13, with 12 for
// the outputs. 14 is what the control port reads if there are signals to pass on.
const fakeScript = `#!/bin/sh
case "$*" in
--version) echo "QEMU emulator version ${FAKE_VERSION:-10.0.2} (fake)"; exit 0 ;;
esac
echo "booting" >&3
%s
`

// fakeQEMU puts a QEMU that runs body, and a mke2fs that does nothing, at the front of the PATH. It returns a
// configuration that uses them, and checks that nothing is left in the temporary directory.
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

// fakePlan returns the plan of a fake guest, whose emulator is the first in the PATH.
func fakePlan(t *testing.T, c Config) plan {
	t.Helper()
	k, err := openKernel(c.Kernel, c.Modules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	p, err := c.withDefaults().makePlan(k)
	if err == nil {
		p.emulator, err = findQEMU(t.Context(), k.arch)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fakeKernel creates a file that has only the header of a kernel image.
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

// fakeELF creates an x86-64 executable that consists of headers only. It asks for the loader unless that is
// empty.
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
