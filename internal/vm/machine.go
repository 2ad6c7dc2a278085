// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// How long a guest may take.
const (
	firstLimit    = time.Minute      // until init's first message; a slow machine under TCG takes some seconds
	bootLimit     = 2 * time.Minute  // the same when it is booted again after it hung
	powerOffLimit = 10 * time.Second // from init's last message until QEMU has ended
	graceLimit    = 30 * time.Second // from the end of a run's time until its guest is ended
)

// machine is a guest about to run. QEMU gets its files as open descriptors whose names are already removed.
type machine struct {
	plan
	kernel, initrd *os.File
	disks          map[string]*os.File // by serial number; if there is no bus, only the output disk
}

// newMachine creates the initramfs and the disks. The files have no names, so nothing is left of them if the
// process is killed.
func newMachine(ctx context.Context, p plan) (_ *machine, err error) {
	m := &machine{plan: p, disks: map[string]*os.File{}}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	mke2fs, err := findMke2fs()
	if err != nil {
		return nil, err
	}
	if m.kernel, err = os.Open(m.image); err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	if m.initrd, err = unlinkedTemp(); err != nil {
		return nil, err
	}
	buffered := bufio.NewWriterSize(m.initrd, 1<<20)
	if err := errors.Join(initramfs(buffered, p), buffered.Flush()); err != nil {
		return nil, err
	}
	for _, d := range disks() {
		if len(m.buses) == 0 && d.serial != outputDisk {
			continue
		}
		if m.disks[d.serial], err = unlinkedTemp(); err == nil {
			err = d.make(ctx, mke2fs, m.disks[d.serial])
		}
		if err != nil {
			return nil, fmt.Errorf("disk %s: %w", d.serial, err)
		}
	}
	return m, nil
}

// Close frees the disks and the initramfs, as far as they exist.
func (m *machine) Close() {
	for _, f := range m.disks {
		f.Close()
	}
	m.kernel.Close()
	m.initrd.Close()
}

// run boots the guest and waits until it has ended. It returns init's last message.
func (m *machine) run(ctx context.Context, boot time.Duration) (message, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	console := &consoleTail{w: m.Console}
	watchdog := time.AfterFunc(boot, func() { stop(fmt.Errorf("%w within %v", errHung, boot)) })
	defer watchdog.Stop()
	orders, giveOrders, err := m.orderPipe()
	if err != nil {
		return message{}, err
	}
	defer orders.Close()
	defer giveOrders.Close()
	var up atomic.Bool
	talk := &messageReader{
		onAlive: func(said message) {
			watchdog.Stop()
			up.Store(true)
			m.Notice(fmt.Sprintf("Linux %s %s in QEMU %s, %s: up after %.1f s", m.release, m.arch.name, m.emulator.version, m.Accel, said.Uptime))
		},
		onNotice: m.Notice, outputs: m.disks[outputDisk],
		onLast: func() { time.AfterFunc(m.powerOff, func() { stop(errStillUp) }) },
	}
	ports := []io.Writer{console, &output{"stdout", m.Stdout, stop}, &output{"stderr", m.Stderr, stop}, talk}

	go m.passOn(ctx, giveOrders, &up, stop)

	var complaint bytes.Buffer
	exit, err := m.start(ctx, ports, orders, &complaint)
	if err != nil {
		return message{}, err
	}
	err = talk.result(ctx, console, exit, strings.TrimSpace(complaint.String()))
	return talk.last, err
}

// errStillUp ends a guest that has sent its last message but does not power off. Only time is lost by that.
var errStillUp = errors.New("the guest did not power off")

// The descriptors that QEMU starts with. Those of disks that a guest has not are closed.
const (
	portsFD  = 3 // the serial ports: the console, and then those of arch.ports
	kernelFD = portsFD + 1 + controlPort + 1
	initrdFD = kernelFD + 1
	disksFD  = initrdFD + 1 // in the order of disks
	ordersFD = disksFD + diskCount
)

// descriptor returns the path by which QEMU opens a file that it starts with.
func descriptor(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// start runs QEMU and copies its serial ports to ports, until both have ended. The control port reads orders; nil
// means that there are none. exit is the error with which QEMU ended, err why it did not start.
func (m *machine) start(ctx context.Context, ports []io.Writer, orders *os.File, stderr io.Writer) (exit, err error) {
	// PR_SET_PDEATHSIG refers to the thread that started QEMU, so that thread must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, m.emulator.path, arguments(m.plan, orders != nil)...)
	cmd.Stderr = stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var copying sync.WaitGroup
	defer copying.Wait()
	var theirs []*os.File
	closeTheirs := func() {
		for _, f := range theirs {
			f.Close()
		}
	}
	for _, port := range ports {
		r, w, err := os.Pipe()
		if err != nil {
			closeTheirs()
			return nil, err
		}
		theirs = append(theirs, w)
		copying.Go(func() {
			defer r.Close()
			_, _ = io.Copy(port, r) // the writers of the ports accept everything and keep their own errors
		})
	}
	cmd.ExtraFiles = append(slices.Clone(theirs), m.kernel, m.initrd)
	for _, d := range disks() {
		cmd.ExtraFiles = append(cmd.ExtraFiles, m.disks[d.serial])
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, orders)
	err = cmd.Start()
	closeTheirs()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", m.emulator.path, err)
	}
	exit = cmd.Wait()
	copying.Wait()
	return exit, nil
}

// output passes on what the job writes. If that fails, the run is ended, because nobody is listening any
// more.
type output struct {
	name string
	w    io.Writer
	stop context.CancelCauseFunc
}

func (o *output) Write(p []byte) (int, error) {
	if o.w != nil {
		if _, err := o.w.Write(p); err != nil {
			o.w = nil
			o.stop(fmt.Errorf("%s: %w", o.name, err))
		}
	}
	return len(p), nil
}
