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
	"strings"
	"sync"
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
	image, initrd *os.File
	disks         map[string]*os.File // by serial number; if there is no bus, only the output disk
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
	if m.image, err = os.Open(m.kernel); err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	if m.initrd, err = unlinkedTemp(); err != nil {
		return nil, err
	}
	buffered := bufio.NewWriterSize(m.initrd, 1<<20)
	if err := errors.Join(initramfs(buffered, m.initramfsContent), buffered.Flush()); err != nil {
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
	m.image.Close()
	m.initrd.Close()
}

// run boots the guest and waits until it has ended. done is init's last message. alive reports whether init
// ever sent one.
func (m *machine) run(ctx context.Context, c Config, e emulator, accel string, boot time.Duration) (done message, alive bool, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	console := &consoleTail{w: c.Console}
	watchdog := time.AfterFunc(boot, func() { stop(fmt.Errorf("%w within %v", errHung, boot)) })
	defer watchdog.Stop()
	orders, err := newOrders(e)
	if err != nil {
		return message{}, false, err
	}
	defer orders.close()
	up := make(chan struct{})
	talk := &messageReader{
		onAlive: func(said message) {
			watchdog.Stop()
			close(up)
			c.Notice(fmt.Sprintf("%s in QEMU %s, %s: up after %.1f s", m.description, e.version, accel, said.Uptime))
		},
		onNotice: c.Notice, outputs: m.disks[outputDisk],
		onLast: func() { time.AfterFunc(c.powerOff, func() { stop(errStillUp) }) },
	}
	ports := []io.Writer{console, &output{"stdout", c.Stdout, stop}, &output{"stderr", c.Stderr, stop}, talk}

	go orders.passOn(ctx, c, up, stop)

	var complaint bytes.Buffer
	exit, err := m.start(ctx, c, e, accel, ports, orders.read, &complaint)
	if err != nil {
		return message{}, false, err
	}
	err = talk.result(ctx, console, exit, strings.TrimSpace(complaint.String()))
	return talk.last, talk.alive, err
}

// errStillUp ends a guest that has sent its last message but does not power off. Only time is lost by that.
var errStillUp = errors.New("the guest did not power off")

// start runs QEMU and copies its serial ports to ports, until both have ended. The control port reads orders; nil
// means that there are none. exit is the error with which QEMU ended, err why it did not start.
func (m *machine) start(ctx context.Context, c Config, e emulator, accel string, ports []io.Writer, orders *os.File, stderr io.Writer) (exit, err error) {
	// PR_SET_PDEATHSIG refers to the thread that started QEMU, so that thread must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, e.path)
	cmd.Stderr = stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	pass := func(f *os.File) string {
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		return fmt.Sprintf("/proc/self/fd/%d", 2+len(cmd.ExtraFiles))
	}
	var copying sync.WaitGroup
	var p guestFiles
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		copying.Wait()
	}()
	for _, port := range ports {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		theirs = append(theirs, w)
		p.serials = append(p.serials, pass(w))
		copying.Go(func() {
			defer r.Close()
			_, _ = io.Copy(port, r) // the writers of the ports accept everything and keep their own errors
		})
	}
	p.kernel, p.initrd, p.disks = pass(m.image), pass(m.initrd), map[string]string{}
	for _, d := range disks() {
		if len(m.buses) > 0 {
			p.disks[d.serial] = pass(m.disks[d.serial])
		}
	}
	if orders != nil {
		p.orders = pass(orders)
	}
	cmd.Args = append(cmd.Args, arguments(c, m.plan, accel, p)...)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", e.path, err)
	}
	for _, f := range theirs {
		f.Close()
	}
	theirs = nil
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
