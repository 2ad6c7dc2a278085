// SPDX-License-Identifier: Apache-2.0

// Package vm runs one program on a kernel of one's choice, in a QEMU guest, with neither root nor a network nor any
// risk to the host.
//
// The program itself is the guest's init: it is the only thing in the initramfs besides the files taken along, so it
// must be static, and its main must begin with
//
//	if vm.InGuest() {
//		vm.Init()
//	}
//
// On the host, Run boots the kernel with it, and Init, in the guest, mounts what a recording needs and starts the
// program once more as the job: uid 0, in /work. /tmp and /work are two ext4 disks, or in memory, or
// overlayfs on such disks (Config.FS); an ext2 disk on /mnt/loopfs holds a.txt, and one on /mnt/casefold can have
// directories that fold case, where the kernel can. All disks are made anew for each run.
//
// The job's stdout and stderr come back byte for byte and while it runs, each over a serial port of its own, the
// outputs as a tar archive on a raw disk, and the exit code over a third port (see message for what is said there).
// What comes from the guest is not trusted: it can fill the outputs asked for and nothing else.
//
// The package works on Linux only.
package vm
