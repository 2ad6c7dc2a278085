// SPDX-License-Identifier: Apache-2.0

// Package vm runs one program on any kernel in a QEMU guest. It needs neither root nor a network, and the
// host is not at risk.
//
// The program itself is the guest's init: the initramfs contains nothing else except the files taken along.
// So it must be static, and its main must begin with
//
//	if vm.InGuest() {
//		vm.Init()
//	}
//
// On the host, Run boots the kernel with the program. In the guest, Init mounts what a recording needs and
// starts the program once more as the job, with uid 0, in /work. Depending on Config.FS, /tmp and /work are
// two ext4 disks, are in memory, or are overlayfs on such disks. An ext2 disk on /mnt/loopfs holds a.txt, and
// one on /mnt/casefold can have case-folding directories if the kernel supports them. All disks are created
// anew for each run.
//
// The job's stdout and stderr come back byte for byte while it runs, each over a serial port of its own. The
// outputs come back as a tar archive on a raw disk, and the exit code over a third port (see message for what
// is sent there). What comes from the guest is not trusted: it can only write the outputs that were asked
// for.
//
// The package works on Linux only.
package vm
