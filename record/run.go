// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/record/workload"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// Result describes a finished recording.
type Result struct {
	Events       uint64
	Lost         uint64 // events that are not in the file
	Unreadable   uint64 // events in the file whose name could not be read
	Bytes        int64  // size of the file, or of all files with Config.Rotate
	Output       string // path of the file, or of the last one
	Files        int    // number of files written with Config.Rotate, including those removed since; otherwise 0
	EndedBy      string // as in schema.Footer
	ExitCode     int    // exit code of the command, or of the first workload that failed
	StillRunning int    // number of processes started by the command that still run
}

// Values of GOGC. Attaching allocates ten times as much as it keeps, and recording allocates next to nothing.
// While the garbage collector marks, at the priority of the recorded tasks, the recorder's threads wait for
// it; on a single CPU events are lost that way.
const (
	gogcAttaching = 400 // while attaching
	gogcRecording = 100 // while recording, whose memory, some 8 MB, is allocated before it begins
)

// ErrNoTarget reports that the Config selects nothing to record.
var ErrNoTarget = errors.New("nothing to record: no command, workload or target")

// session is a recording in progress.
type session struct {
	config       *Config
	probes       *bpf.Session
	output       *traceFile
	signals      <-chan os.Signal // signals that end a recording, received from its very beginning
	writer       *writer
	counters     counters
	stillRunning int // as in Result
	parts        parts
}

// Run makes a recording and returns when it has ended. The error may be a *CommandError (the command could not
// be started; the file has the recording of the attempt), an *InterruptedError, a *tracefile.LostError, or an
// error of package bpf.
// The result is valid also with an error, except that it is zero if the error came before the file was
// created.
func Run(ctx context.Context, c Config) (Result, error) {
	signals := endSignals()
	defer signal.Stop(signals)
	job, err := newJob(&c)
	if err != nil {
		return Result{}, err
	}
	output, parts, err := c.firstOutput()
	if err == nil {
		err = c.checkOutput(output)
	}
	if err != nil {
		return Result{}, &tracefile.LostError{Path: output, Err: err}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(gogcAttaching))
	bpf.RemoveLeftovers()
	// Some Go releases start a child once, to find out whether pidfds work. That must not happen while recording.
	_, _ = os.FindProcess(os.Getpid())
	probes, err := bpf.Open(c.bpf())
	if err != nil {
		return Result{}, err
	}
	s := &session{config: &c, probes: probes, signals: signals, parts: parts}
	if err := s.interrupted(); err != nil { // what is at output stays
		return Result{}, errors.Join(err, s.detach())
	}
	if err := s.create(output); err != nil {
		return Result{}, errors.Join(err, probes.Close())
	}
	return s.record(ctx, job)
}

// endSignals returns a channel on which the signals that end a recording arrive. One that was ignored when dtrec was
// started, as SIGHUP is by nohup and SIGINT by a shell in the background, is left so, and the command inherits it.
func endSignals() chan os.Signal {
	signals := make(chan os.Signal, 4)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	return signals
}

// create creates the file, writes its header, and makes the records readable.
func (s *session) create(output string) error {
	header, err := newHeader(s.config, s.probes)
	if err != nil {
		return err
	}
	runtime.GC() // so that memory needed from now on comes from pages already touched while attaching
	debug.SetGCPercent(gogcRecording)
	var trace *schema.Writer
	if s.output, trace, err = s.config.beginTrace(output, header); err != nil {
		return &tracefile.LostError{Path: output, Err: err}
	}
	s.writer = newWriter(s.probes, header.RingBufferBytes, trace, limits{events: s.config.MaxEvents, bytes: s.config.MaxBytes}, &s.counters, s.probes.FilesystemType)
	if s.config.Rotate > 0 {
		s.parts.header = header
		s.writer.setRotation(s.nextPart, s.config.Duration, header.StartBootNs)
	}
	if err := s.probes.Map(s.keepWaiting()); err != nil {
		return errors.Join(err, s.output.remove())
	}
	return nil
}

// keepWaiting returns the function that bpf.Session.Map calls while the probes of an earlier recording leave the
// kernel. It reports whether to go on waiting, that is, whether no signal has come, and tells the user if the
// wait takes more than a second.
func (s *session) keepWaiting() func() bool {
	began, said := time.Now(), false
	return func() bool {
		if !said && time.Since(began) > time.Second && s.config.Stderr != nil {
			said = true
			fmt.Fprintln(s.config.Stderr, "dtrec: waiting for the probes of a recording before to leave the kernel")
		}
		return len(s.signals) == 0
	}
}

// beginTrace creates a file and writes its header.
func (c *Config) beginTrace(output string, header *schema.Header) (*traceFile, *schema.Writer, error) {
	o, err := c.createOutput(output)
	if err != nil {
		return nil, nil, err
	}
	trace, err := schema.NewWriter(o, header)
	if err != nil {
		return nil, nil, errors.Join(err, o.remove())
	}
	o.writeBehind(trace.Written)
	return o, trace, nil
}

// record enables the probes, runs the job, disables the probes, and completes the file.
func (s *session) record(ctx context.Context, job job) (Result, error) {
	stop, written := make(chan struct{}), make(chan error, 1)
	go runWithPriority(func() { written <- s.writer.run(stop) })
	var footer schema.Footer
	err := s.probes.Enable()
	if err == nil {
		err = s.runJob(ctx, job, &footer)
	}
	close(stop)
	err = errors.Join(err, <-written)
	err = errors.Join(err, s.finish(&footer), s.detach(), s.config.removeWorkloadFiles())
	return s.result(&footer), err
}

// result describes the recording, which has ended. Events of frames that could not be written are lost.
func (s *session) result(footer *schema.Footer) Result {
	whole := s.output.wholeEvents
	unwritten := s.writer.trace.Events() - whole
	return Result{
		Events: s.parts.events + whole, Lost: s.counters.lost.Load() + unwritten, Unreadable: s.counters.unreadable.Load(),
		Bytes: s.parts.bytes + s.output.wholeBytes, Output: s.output.name, Files: int(s.parts.header.GetPart()),
		EndedBy: footer.EndedBy, ExitCode: int(footer.ExitCode), StillRunning: s.stillRunning,
	}
}

// finish writes the end of the file and closes it. What the writer left out decides why the recording ended: the
// command may end before the limit is told, or before the writer has read the events that pass it.
func (s *session) finish(footer *schema.Footer) error {
	switch {
	case s.writer.err != nil || s.writer.rotation.err != nil:
		footer.EndedBy = "a write error"
	case s.writer.dropped.Count > 0:
		footer.EndedBy = "limit"
	}
	err := s.writer.close(footer)
	if closeErr := s.output.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return &tracefile.LostError{Path: s.output.name, Kept: s.parts.events + s.output.wholeEvents, Err: err}
	}
	return nil
}

// runJob runs the job, shows the status line meanwhile, and fills in the footer. When the writer has reached a
// limit or the time is over, it disables the probes: the recording has then ended, although the command runs
// on, at full speed.
func (s *session) runJob(ctx context.Context, job job, footer *schema.Footer) error {
	stop := make(chan struct{})
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer close(stop)
	if s.config.Status != nil {
		helpers.Go(func() { showStatus(s.config.Status, &s.counters, stop) })
	}
	var over <-chan time.Time // nil, which is never ready, without a duration
	if s.config.Duration > 0 && s.config.Rotate == 0 {
		over = time.After(s.config.Duration)
	}
	ended := make(chan struct{})
	var once sync.Once
	var disabled error
	disable := func(by string) { // the first one counts
		once.Do(func() {
			disabled = s.probes.Disable()
			footer.EndedBy, footer.EndNs = by, bpf.Now()
		})
	}
	helpers.Go(func() {
		defer close(ended)
		select {
		case <-s.writer.full:
			disable("limit")
		case <-over:
			disable("duration")
		case <-stop:
		}
	})
	endedBy, code, err := job(ctx, s, ended)
	footer.ExitCode = int32(code)
	disable(endedBy)
	return errors.Join(err, disabled)
}

// job is what the recorder does while the probes record: run a command or workloads, or wait. It returns why it
// ended, for Footer.EndedBy, and an exit code. ended is closed if the recording ends before the job.
type job func(ctx context.Context, s *session, ended <-chan struct{}) (by string, code int, err error)

// newJob returns the job that the Config asks for. It checks what can be checked before anything is changed.
func newJob(c *Config) (job, error) {
	switch {
	case len(c.Command) > 0:
		cmd, err := newCommand(c)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, s *session, _ <-chan struct{}) (string, int, error) {
			return s.recordCommand(cmd)
		}, nil
	case len(c.Workloads) > 0:
		list, absent, err := workload.Select(c.Workloads)
		if err != nil {
			return nil, err
		}
		if err := workload.Prepare(list); err != nil {
			return nil, err
		}
		for _, remark := range workload.Remarks(list, absent) {
			fmt.Fprintln(c.Stderr, "dtrec: "+remark)
		}
		return func(_ context.Context, s *session, _ <-chan struct{}) (string, int, error) {
			return s.recordWorkloads(list)
		}, nil
	case !c.Targets.empty():
		return waitForEnd, nil
	default:
		return nil, ErrNoTarget
	}
}

func (s *session) recordCommand(cmd *exec.Cmd) (string, int, error) {
	if err := s.interrupted(); err != nil {
		return "interrupt", err.Code, err
	}
	program, err := runCommand(cmd, s.signals, s.dropPrivileges)
	if e := (*CommandError)(nil); errors.As(err, &e) {
		return "command not started", e.Code, err
	}
	if err != nil {
		return "trouble", 0, err
	}
	program.Pid = s.probes.InitialPID(int(program.Pid))
	s.writer.programs <- program
	s.stillRunning = s.countRunning()
	return "command", int(program.ExitCode), nil
}

// countRunning counts the processes that the command has left running. It returns 0 if other processes are recorded
// as well, because it is not known whose descendants the remaining ones are. The number is only for the user,
// so an error of the list is ignored.
func (s *session) countRunning() (n int) {
	if len(s.config.Targets.PIDs) > 0 {
		return 0
	}
	pids, _ := s.probes.TargetPIDs()
	for _, pid := range pids {
		if s.probes.Nested() || unix.Kill(int(pid), 0) != unix.ESRCH {
			n++
		}
	}
	return n
}

func (s *session) recordWorkloads(list []workload.Program) (by string, code int, err error) {
	if err := s.interrupted(); err != nil {
		return "interrupt", err.Code, err
	}
	if err := s.dropPrivileges(); err != nil {
		return "trouble", 0, err
	}
	for i := range list {
		program, err := runWorkload(s, &list[i])
		if err != nil {
			return "trouble", 0, fmt.Errorf("workload %s: %w", list[i].Name, err)
		}
		s.writer.programs <- program
		if code == 0 {
			code = int(program.ExitCode)
		}
		if program.ExitCode >= exitSignal {
			return "interrupt", code, nil
		}
	}
	return "command", code, nil
}

// waitForEnd is the job without a command: it ends by a signal, or when the recording has ended.
func waitForEnd(ctx context.Context, s *session, ended <-chan struct{}) (string, int, error) {
	if err := s.dropPrivileges(); err != nil {
		return "trouble", 0, err
	}
	if s.config.Begun != nil {
		s.config.Begun()
	}
	select {
	case <-s.signals:
	case <-ended:
	case <-ctx.Done():
	}
	return "interrupt", 0, nil
}
