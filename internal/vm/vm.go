// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultTimeout bounds a run whose Config has no Timeout, including boot, job and unpacking of the outputs.
const DefaultTimeout = 10 * time.Minute

// Config says which kernel to boot and what to run in it. Only Kernel and Program are required.
type Config struct {
	// Kernel is the path of a kernel image for x86-64 or arm64 (bzImage, Image, vmlinuz), a build tree, a
	// directory to which a distribution's package was unpacked, or a .deb.
	Kernel string
	// Modules says where the kernel's modules are: the directory given to modules_install or its
	// lib/modules/RELEASE, a build tree, or a .deb. If it is empty, they are looked for around Kernel and in
	// the host's /lib/modules. The guest gets only the modules it needs.
	Modules string
	// Program is the path of a static executable. If the kernel is for another architecture, the file beside
	// it whose name ends in -arm64 or -amd64 is used. It is both the guest's init, which has to call Init if
	// InGuest is true, and the job, started as /bin/NAME with Args.
	Program string
	// Args is the job's command line without argv[0].
	Args []string
	// FS is the file system of /tmp and the job's working directory: FSExt4, FSTmpfs or FSOverlay. If the
	// kernel has no driver for it or for a disk, that is an error (ErrLacks). Empty means FSExt4 if possible,
	// otherwise FSTmpfs with a notice.
	FS string
	// Env is added to the guest's small environment (PATH, HOME, TMPDIR, USER), as "NAME=value".
	Env []string
	// Files are copied into the guest.
	Files []File
	// Outputs are the files and directories the job leaves in the guest that are brought back to the same path on
	// the host. Relative paths are relative to the working directory on either side. A missing output is an error
	// (ErrNoOutput) if the job exits with 0, and is ignored otherwise.
	Outputs []string
	// Patterns says that the last elements of Outputs are patterns as in path.Match; all matches are brought
	// back.
	Patterns bool
	// SMP is the number of virtual CPUs; 0 means 2.
	SMP int
	// Memory is the guest's memory in the format of QEMU's -m; empty means 1G.
	Memory string
	// Append is added to the kernel's command line, such as "preempt=full lockdown=confidentiality".
	Append string
	// Accel is one of Accelerators. Empty means KVM if a guest was seen to start under it, otherwise TCG.
	Accel string
	// OneThread makes emulated virtual CPUs take turns on one thread of the host. It is for guests that
	// together have more CPUs than the host: whenever the kernel patches its code, all of a guest's CPUs spin
	// until the last one has arrived, and so wait for threads that the host does not run.
	OneThread bool
	// Signals, if not nil, are for the job: the first that comes while init runs goes to the job's process group, as a terminal
	// sends it, so that the job can end by itself and its outputs are brought back. A second one, or one that comes while the
	// guest boots, ends the guest; Run's error then wraps context.Canceled.
	Signals <-chan os.Signal
	// Timeout bounds the whole run; 0 means DefaultTimeout. Then the job is interrupted, as by a terminal, and has half a minute
	// to end. If it does, its outputs are brought back. In any case Run's error wraps ErrTimeout.
	Timeout time.Duration
	// Stdout and Stderr receive, byte for byte, what the job writes while it runs. nil discards it.
	Stdout, Stderr io.Writer
	// Console, if not nil, receives the kernel's console while it runs.
	Console io.Writer
	// Notice, if not nil, is called with one-line messages for the user: what was booted and how, that QEMU
	// is old, that no guest starts under KVM.
	Notice func(string)

	buses    []*bus        // how the disks may be attached; nil means as the kernel supports
	powerOff time.Duration // longest time from init's last message until QEMU has ended; 0 means powerOffLimit
	grace    time.Duration // for a job that was interrupted as the time was over; 0 means graceLimit
	limit    *limit
}

// File is a file or directory of the host and its place in the guest. With a program that is dynamically linked go its
// loader and libraries, to the paths that they have on the host, unless the loader is one of Files; not with the programs
// in a directory.
type File struct {
	Host string
	// Guest is absolute or relative to the job's working directory. Empty means the same path as Host.
	Guest string
}

// Run boots the kernel and runs the job in it. It brings back stdout, stderr, the outputs and the exit code
// (0 to 255; 128+N if the job was killed by signal N). An error means that the job did not run to its end or
// that its outputs could not be brought back, or that the time was over; if the guest is to blame it is a *GuestError. When ctx ends, so
// does the guest, and the error wraps ctx.Err(). Nothing but the outputs is left on the host.
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
	if old := emulator.problem(); old != "" {
		c.Notice(old)
	}
	p, err := c.makePlan(k)
	if err != nil {
		return 0, err
	}
	p.emulator = emulator
	timer := time.NewTimer(c.Timeout)
	defer timer.Stop()
	p.limit = &limit{over: timer.C, cause: fmt.Errorf("%w (%v)", ErrTimeout, c.Timeout)}
	limited, cancel := context.WithTimeoutCause(ctx, c.Timeout+c.grace, p.limit.cause)
	defer cancel()
	done, err := runAccelerated(limited, p, kvmMemoryOf(k.arch))
	if err == nil && p.limit.interrupted.Load() {
		return done.Exit, fmt.Errorf("%w: its job was interrupted, and what that wrote is kept", p.limit.cause)
	}
	for _, ended := range []error{context.Cause(limited), ctx.Err()} {
		if err != nil && ended != nil && !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
	}
	if err != nil {
		return 0, err
	}
	return done.Exit, nil
}

// limit is the end of a run's time.
type limit struct {
	over        <-chan time.Time
	cause       error       // ErrTimeout, for this run
	interrupted atomic.Bool // the job was, as the time was over
}

func (c Config) withDefaults() Config {
	c.SMP, c.Memory = cmp.Or(c.SMP, 2), cmp.Or(c.Memory, "1G")
	c.Timeout, c.powerOff, c.grace = cmp.Or(c.Timeout, DefaultTimeout), cmp.Or(c.powerOff, powerOffLimit), cmp.Or(c.grace, graceLimit)
	c.limit = new(limit)
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

// check returns an error if the configuration is invalid, before anything is started.
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

// plan is a configuration and what was found for it: all that a run boots.
type plan struct {
	Config
	emulator emulator
	arch     *arch
	release  string // of the kernel
	image    string // path of the kernel for QEMU
	program  string // path of the program for the kernel's architecture
	modules  []module
	job      job
}

// makePlan puts together what the guest of this kernel gets.
func (c Config) makePlan(k *kernel) (plan, error) {
	p := plan{Config: c, arch: k.arch, release: k.release, image: k.file}
	if p.buses == nil {
		p.buses = busesFor(k.modules)
	}
	var err error
	if p.program, err = k.program(c.Program); err != nil {
		return p, err
	}
	if p.job, err = newJob(c); err != nil {
		return p, err
	}
	p.job.Ports, p.job.Buses = k.arch.ports, busNames(p.buses)
	if k.modules == nil {
		p.job.Modules.Notes = []string{"no modules of " + k.release + " were found around " + c.Kernel + " or in /lib/modules"}
		return p, nil
	}
	list, lacking, err := k.modules.collect(k.release, modulesToLoad(p.buses, c.FS))
	p.modules, p.job.Modules.Notes = list, append(lacking, "modules were looked for in "+k.modules.dir)
	return p, err
}
