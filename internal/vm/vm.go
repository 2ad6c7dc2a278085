// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
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
	// Kernel is the path of a bootable x86-64 kernel image (vmlinuz).
	Kernel string
	// Program is the path of a static x86-64 executable. It is both the guest's init, where it has to call Init when
	// InGuest says so, and the job, started as /bin/NAME with Args.
	Program string
	// Args is the job's command line without argv[0].
	Args []string
	// FS is the file system of /tmp and of the job's working directory: FSExt4, FSTmpfs or FSOverlay; empty means FSExt4.
	// For FSOverlay, a kernel that has overlayfs as a module needs the module beside its image, as overlay.ko, .ko.xz
	// or .ko.zst, or in the host's /lib/modules (ErrNoOverlay).
	FS string
	// Env is added to the guest's small environment (PATH, HOME, TMPDIR, USER), as "NAME=value".
	Env []string
	// Files are taken along into the guest.
	Files []File
	// Outputs are the files and directories the job leaves in the guest that are brought back to the same path on
	// the host; relative ones are relative to the working directory on either side. What the job did not write is
	// an error (ErrNoOutput) when it exits with 0 and is passed over otherwise.
	Outputs []string
	// SMP is the number of virtual CPUs; 0 means 2.
	SMP int
	// Memory is the guest's memory as QEMU's -m takes it; empty means 1G.
	Memory string
	// Accel is "kvm", "tcg", "icount" (TCG with a clock of one nanosecond per guest instruction, so that measurements
	// repeat), or empty to use KVM where a guest was seen to start under it and TCG elsewhere.
	Accel string
	// Timeout bounds the whole run; 0 means DefaultTimeout.
	Timeout time.Duration
	// Stdout and Stderr receive, byte for byte and while it runs, what the job writes. nil discards.
	Stdout, Stderr io.Writer
	// Console, if not nil, receives the kernel's console while it runs.
	Console io.Writer
	// Notice, if not nil, is told in one line about what the user may want to know: an old QEMU, KVM that starts no guest.
	Notice func(string)

	module   string        // file name of the overlay module taken along
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
	emulator, err := findQEMU(ctx)
	if err != nil {
		return 0, err
	}
	if old := emulator.tooOld(); old != "" {
		c.notice(old)
	}
	c = c.takeModule()
	limited, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("%w (%v)", ErrTimeout, c.Timeout))
	defer cancel()
	job, err := newJob(c)
	if err != nil {
		return 0, err
	}
	done, err := runAccelerated(limited, c, emulator, job, thisKVM())
	for _, ended := range []error{context.Cause(limited), ctx.Err()} {
		if err != nil && ended != nil && !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
	}
	return done.Exit, err
}

func (c Config) withDefaults() Config {
	if c.SMP == 0 {
		c.SMP = 2
	}
	if c.FS == "" {
		c.FS = FSExt4
	}
	if c.Memory == "" {
		c.Memory = "1G"
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.powerOff == 0 {
		c.powerOff = powerOffLimit
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Stderr == nil {
		c.Stderr = io.Discard
	}
	if c.Console == nil {
		c.Console = io.Discard
	}
	return c
}

// check finds what is wrong with the configuration before anything is started.
func (c Config) check() error {
	if c.SMP < 1 {
		return fmt.Errorf("%d virtual CPUs: at least 1 is needed", c.SMP)
	}
	switch c.Accel {
	case "", accelKVM, accelTCG, accelCount:
	default:
		return fmt.Errorf("accelerator %q: not kvm, tcg or icount", c.Accel)
	}
	if !slices.Contains(Filesystems(), c.FS) {
		return fmt.Errorf("file system %q: not %s", c.FS, strings.Join(Filesystems(), ", "))
	}
	if _, err := KernelRelease(c.Kernel); err != nil {
		return err
	}
	loader, err := interpreter(c.Program)
	if err != nil {
		return fmt.Errorf("program %s: %w", c.Program, err)
	}
	if loader != "" {
		return fmt.Errorf("%s: %w: build it with CGO_ENABLED=0", c.Program, ErrNotStatic)
	}
	return nil
}

func (c Config) notice(text string) {
	if c.Notice != nil {
		c.Notice(text)
	}
}
