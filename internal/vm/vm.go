// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// DefaultTimeout bounds a run whose Config names no Timeout: boot, job and bringing the outputs back.
const DefaultTimeout = 10 * time.Minute

// Config says which kernel to boot and what to run in it. Only Kernel and Program must be given.
type Config struct {
	// Kernel is the path of a kernel image for x86-64 or arm64 (bzImage, Image, vmlinuz), of a build tree, of a directory
	// that a distribution's package was unpacked to, or of a .deb.
	Kernel string
	// Modules is where the kernel's modules are: the directory that modules_install was given or its lib/modules/RELEASE, a
	// build tree, or a .deb. Empty: around Kernel and in the host's /lib/modules. Of them the guest gets what it needs.
	Modules string
	// Program is the path of a static executable. Where the kernel is for another architecture it is the one beside it
	// whose name ends in -arm64 or -amd64. It is both the guest's init, where it has to call Init when InGuest says so,
	// and the job, started as /bin/NAME with Args.
	Program string
	// Args is the job's command line without argv[0].
	Args []string
	// FS is the file system of /tmp and of the job's working directory: FSExt4, FSTmpfs or FSOverlay. It is an error
	// (ErrLacks) where the kernel has no driver for it, or for a disk. Empty means FSExt4 and, there, FSTmpfs with a notice.
	FS string
	// Env is added to the guest's small environment (PATH, HOME, TMPDIR, USER), as "NAME=value".
	Env []string
	// Files are taken along into the guest.
	Files []File
	// Outputs are the files and directories the job leaves in the guest that are brought back to the same path on
	// the host; relative ones are relative to the working directory on either side. What the job did not write is
	// an error (ErrNoOutput) when it exits with 0 and is passed over otherwise.
	Outputs []string
	// Patterns says that the last elements of Outputs are patterns, as path.Match has them: what matches is brought back.
	Patterns bool
	// SMP is the number of virtual CPUs; 0 means 2.
	SMP int
	// Memory is the guest's memory as QEMU's -m takes it; empty means 1G.
	Memory string
	// Append is added to the kernel's command line, such as "preempt=full lockdown=confidentiality".
	Append string
	// Accel is one of Accelerators, or empty to use KVM where a guest was seen to start under it and TCG elsewhere.
	Accel string
	// OneThread has virtual CPUs that are emulated take turns on one thread of the host. For guests that together want more CPUs than
	// the host has: each patch of the kernel's code waits for all of a guest's CPUs, spinning, and so for threads the host does not run.
	OneThread bool
	// Timeout bounds the whole run; 0 means DefaultTimeout.
	Timeout time.Duration
	// Stdout and Stderr receive, byte for byte and while it runs, what the job writes. nil discards.
	Stdout, Stderr io.Writer
	// Console, if not nil, receives the kernel's console while it runs.
	Console io.Writer
	// Notice, if not nil, is told in one line about what the user may want to know: what was booted and how, an old QEMU,
	// KVM that starts no guest.
	Notice func(string)

	buses    []*bus        // instead of those the kernel has
	powerOff time.Duration // from init's last word until QEMU is gone
}

// File is a file or directory of the host and its place in the guest. A program has to be static, or its loader and
// libraries taken along as well.
type File struct {
	Host string
	// Guest is absolute, or relative to the job's working directory. Empty means the same path as Host.
	Guest string
}

// Run boots the kernel, runs the job in it and brings stdout, stderr, the outputs and the exit code (0 to 255; 128+N
// when the job was killed by signal N) back. An error means that the job did not run to its end, or that its outputs
// could not be brought back; what the guest is to blame for is a *GuestError. When ctx ends, so does the guest, and
// the error wraps ctx.Err(). Nothing is left behind on the host but the outputs.
func Run(ctx context.Context, c Config) (exitCode int, err error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return 0, err
	}
	k, err := openKernel(c.Kernel, c.Modules)
	if err != nil {
		return 0, err
	}
	defer k.Close()
	emulator, err := findQEMU(ctx, k.arch)
	if err != nil {
		return 0, err
	}
	if old := emulator.tooOld(); old != "" {
		c.Notice(old)
	}
	plan, err := c.plan(k)
	if err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("%w (%v)", ErrTimeout, c.Timeout))
	defer cancel()
	done, err := runAccelerated(limited, c, emulator, plan, thisKVM(k.arch))
	for _, ended := range []error{context.Cause(limited), ctx.Err()} {
		if err != nil && ended != nil && !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
	}
	return done.Exit, err
}

func (c Config) withDefaults() Config {
	c.SMP, c.Memory = cmp.Or(c.SMP, 2), cmp.Or(c.Memory, "1G")
	c.Timeout, c.powerOff = cmp.Or(c.Timeout, DefaultTimeout), cmp.Or(c.powerOff, powerOffLimit)
	for _, w := range []*io.Writer{&c.Stdout, &c.Stderr, &c.Console} {
		if *w == nil {
			*w = io.Discard
		}
	}
	if c.Notice == nil {
		c.Notice = func(string) {}
	}
	return c
}

// check finds what is wrong with the configuration before anything is started.
func (c Config) check() error {
	if c.SMP < 1 {
		return fmt.Errorf("%d virtual CPUs: at least 1 is needed", c.SMP)
	}
	if c.Accel != "" && !slices.Contains(Accelerators(), c.Accel) {
		return fmt.Errorf("accelerator %q: not %s", c.Accel, strings.Join(Accelerators(), ", "))
	}
	if c.FS != "" && !slices.Contains(Filesystems(), c.FS) {
		return fmt.Errorf("file system %q: not %s", c.FS, strings.Join(Filesystems(), ", "))
	}
	return nil
}

// plan is what a run boots.
type plan struct {
	load
	kernel string // the image
	buses  []*bus
	what   string // is booted, in words
}

// plan puts together what the guest of a kernel gets.
func (c Config) plan(k *kernel) (plan, error) {
	p := plan{kernel: k.file, buses: c.buses, what: "Linux " + k.release + " " + k.arch.name}
	if p.buses == nil {
		p.buses = busesFor(k.modules)
	}
	program, err := k.program(c.Program)
	if err != nil {
		return p, err
	}
	p.load = load{arch: k.arch, program: program, files: c.Files}
	if p.job, err = newJob(c); err != nil {
		return p, err
	}
	p.job.Ports, p.job.Buses = k.arch.ports, names(p.buses)
	if k.modules == nil {
		p.job.Modules.Notes = []string{"no modules of " + k.release + " were found around " + c.Kernel + " or in /lib/modules"}
		return p, nil
	}
	taken, err := k.modules.collect(k.release, wanted(p.buses, c.FS))
	if err != nil {
		return p, err
	}
	p.modules, p.job.Modules.Notes = taken.list, append(taken.lacking, "modules were looked for in "+k.modules.dir)
	return p, nil
}
