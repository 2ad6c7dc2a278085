// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// InGuest reports whether this process is the init of a guest that Run started.
func InGuest() bool {
	if os.Getpid() != 1 {
		return false
	}
	_, err := os.Stat(jobPath)
	return err == nil
}

// Init does all of a guest's work: it prepares the system, runs the job, sends what Run waits for, and powers
// off. It never returns.
func Init() {
	err := serve()
	if err != nil {
		fmt.Fprintf(os.Stderr, "dtrec-vm: %v\n", err)
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintf(os.Stderr, "dtrec-vm: power off: %v\n", err)
	}
	os.Exit(1) // causes a panic, which ends QEMU as well
}

// serve runs the job and reports the result on the control port.
func serve() error {
	if err := mountBasics(); err != nil {
		return err
	}
	var j job
	text, err := os.ReadFile(jobPath)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &j); err != nil || len(j.Ports) <= controlPort {
		return fmt.Errorf("%s: not a job: %w", jobPath, err)
	}
	refused := loadModules(j.Modules.Load)
	control, err := openPort(j.Ports[controlPort])
	if err != nil {
		return err
	}
	defer control.Close()
	heard := receiveSignals(control)
	if err := send(control, message{Alive: true, Uptime: uptime()}); err != nil {
		return err
	}
	done, err := runJob(j, refused, control, heard)
	if err != nil {
		return errors.Join(err, send(control, message{Error: err.Error(), Lacks: errors.Is(err, ErrLacks)}))
	}
	return send(control, done)
}

// send sends a message and waits until it has been transmitted.
func send(control *os.File, m message) error {
	if err := m.write(control); err != nil {
		return fmt.Errorf("control port: %w", err)
	}
	return drain(control)
}

// runJob runs the job with what the kernel supports. If ext4 is not possible, a job that did not ask for it
// runs on tmpfs.
func runJob(j job, refused []string, control *os.File, heard <-chan syscall.Signal) (message, error) {
	disks, lacking, err := findSupport(j, refused)
	switch {
	case err != nil:
		return message{}, err
	case lacking != "" && j.FS != "":
		return message{}, lackError(j.FS + " is not possible: " + lacking)
	case lacking != "":
		if err := send(control, message{Notice: "/tmp and the working directory are on tmpfs: " + lacking}); err != nil {
			return message{}, err
		}
		j.FS = FSTmpfs
	}
	if err := prepare(j, disks); err != nil {
		return message{}, err
	}
	status, err := execute(j, heard)
	if err != nil {
		return message{}, err
	}
	exit := status.ExitStatus()
	if status.Signaled() {
		exit = 128 + int(status.Signal())
		if err := send(control, message{Notice: killedBy(status.Signal(), filepath.Base(j.Program))}); err != nil {
			return message{}, err
		}
	}
	size, err := writeOutputs(j, disks, control)
	return message{Done: true, Exit: exit, Size: size}, err
}

// killedBy describes the signal that killed the job.
func killedBy(s syscall.Signal, program string) string {
	why := ""
	if s == unix.SIGKILL {
		why = ", as the kernel does where memory is short"
	}
	return fmt.Sprintf("in the guest %s was killed by %s%s", program, unix.SignalName(s), why)
}

// execute runs the job to its end, passes the signals that are heard meanwhile on to it, and returns when the
// last of its output has left the guest.
func execute(j job, heard <-chan syscall.Signal) (status unix.WaitStatus, err error) {
	var files [3]*os.File
	if files[0], err = os.Open(os.DevNull); err != nil {
		return 0, err
	}
	defer files[0].Close()
	ends := make(chan error, 2)
	for i, port := range j.Ports[:controlPort] {
		// A pipe in between, so that the job does not take its stdout for a terminal.
		r, w, err := os.Pipe()
		if err != nil {
			return 0, err
		}
		files[i+1] = w
		go func() { ends <- forward(port, r) }()
	}
	process, err := os.StartProcess(j.Program, append([]string{filepath.Base(j.Program)}, j.Args...), &os.ProcAttr{
		Dir: workDir, Env: append(environment(), j.Env...), Files: files[:],
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	files[1].Close()
	files[2].Close()
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", j.Program, err)
	}
	ended := make(chan struct{})
	go signalJob(process.Pid, heard, ended)
	status, err = reap(process.Pid)
	close(ended)
	return status, errors.Join(err, <-ends, <-ends)
}

func environment() []string {
	return []string{
		"PATH=" + binDir + ":/usr/local/bin:/usr/bin:/sbin:/usr/sbin", "HOME=" + homeDir, "TMPDIR=" + tmpDir,
		"PWD=" + workDir, "USER=root", "LOGNAME=root", "SHELL=/bin/sh",
	}
}

// reap waits for the job, and for every orphan meanwhile. Processes that outlive the job are killed.
func reap(pid int) (status unix.WaitStatus, err error) {
	for {
		got, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for the job: %w", err)
		case got == pid && (status.Exited() || status.Signaled()):
			killRest()
			return status, nil
		}
	}
}

// killRest kills every process except init, so that none keeps the job's stdout open.
func killRest() {
	_ = unix.Kill(-1, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// forward copies a pipe to a port until all its writers have closed it and everything has been transmitted.
func forward(port string, r *os.File) error {
	defer r.Close()
	p, err := openPort(port)
	if err != nil {
		return err
	}
	defer p.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{p}, struct{ io.Reader }{r}, make([]byte, 64<<10)); err != nil {
		return fmt.Errorf("%s: %w", port, err)
	}
	return drain(p)
}

// openPort opens a serial port in raw mode.
func openPort(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	t := unix.Termios{
		Cflag: unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200, Ispeed: unix.B115200, Ospeed: unix.B115200,
	}
	t.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &t); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: set raw: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// drain waits until all that was written to a port has been transmitted.
func drain(port *os.File) error {
	for {
		err := unix.IoctlSetInt(int(port.Fd()), unix.TCSBRK, 1)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// writeOutputs writes the archive of outputs to its disk and returns its size in bytes. If there is no disk,
// it sends the archive over the control port instead.
func writeOutputs(j job, disks bool, control *os.File) (int64, error) {
	if len(j.Outputs) == 0 {
		return 0, nil
	}
	if !disks {
		c := &chunks{port: control}
		w := bufio.NewWriterSize(c, chunkBytes)
		if err := errors.Join(packOutputs(w, j.Outputs, j.Patterns), w.Flush()); err != nil {
			return 0, fmt.Errorf("say outputs: %w", err)
		}
		return c.size, nil
	}
	device, err := findDisk(outputDisk)
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(device, os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := packOutputs(w, j.Outputs, j.Patterns); err != nil {
		return 0, fmt.Errorf("write outputs: %w", err)
	}
	if err := errors.Join(w.Flush(), f.Sync()); err != nil {
		return 0, fmt.Errorf("write outputs: %w", err)
	}
	return f.Seek(0, io.SeekCurrent)
}

// chunkBytes is the largest part of the outputs in one message; in base64 it fits into maxMessage.
const chunkBytes = 32 << 10

// chunks is a writer that sends what is written to it over the control port.
type chunks struct {
	port *os.File
	size int64
}

func (c *chunks) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), chunkBytes)
		if err := send(c.port, message{Chunk: rest[:n]}); err != nil {
			return 0, err
		}
		c.size, rest = c.size+int64(n), rest[n:]
	}
	return len(p), nil
}

// uptime returns how long the kernel has been running, in seconds.
func uptime() float64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano()).Seconds()
}
