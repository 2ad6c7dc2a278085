// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/schema"
)

// Exit codes a shell gives a command it could not run.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
	exitSignal        = 128 // plus the signal's number
)

// CommandError reports that the command could not be started.
type CommandError struct {
	Name string
	Code int // exit code: 126 or 127, as a shell would return
	Err  error
}

// Error names the command and the cause.
func (e *CommandError) Error() string {
	return fmt.Sprintf("run %s: %v", cmp.Or(e.Name, `""`), e.Err)
}

// Unwrap returns the cause.
func (e *CommandError) Unwrap() error { return e.Err }

// InterruptedError reports a signal that came before the command or the first workload was started. It cannot be
// passed on, so it is not run.
type InterruptedError struct {
	What string // the command, or the workload
	Code int    // exit code, as a shell would return for the signal
}

// Error says what was not run.
func (e *InterruptedError) Error() string {
	return "interrupted before " + e.What + " was started; it was not run"
}

// interrupted returns an error if a signal has come and there is something to run, which is not running yet.
func (s *session) interrupted() *InterruptedError {
	e := &InterruptedError{What: "the command"}
	if len(s.config.Workloads) > 0 {
		e.What = "the workload"
	} else if len(s.config.Command) == 0 {
		return nil
	}
	select {
	case sig := <-s.signals:
		e.Code = exitSignal + int(sig.(syscall.Signal))
		return e
	default:
		return nil
	}
}

func commandError(name string, err error) *CommandError {
	e := &CommandError{Name: name, Code: exitNotExecutable, Err: err}
	var lookup *exec.Error
	if errors.As(err, &lookup) {
		e.Err = lookup.Err
	}
	e.Err = tracefile.Bare(e.Err)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		e.Code = exitNotFound
	}
	return e
}

// newCommand looks up the command's executable and prepares to run it as the right user, without starting it.
func newCommand(c *Config) (*exec.Cmd, error) {
	path, err := exec.LookPath(c.Command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return nil, commandError(c.Command[0], err)
	}
	cmd := exec.Command(path, c.Command[1:]...)
	cmd.Args[0] = c.Command[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.commandStdout(), c.Stderr
	user, err := c.commandUser()
	if err != nil {
		return nil, err
	}
	if user != nil && user.uid != uint32(os.Geteuid()) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user.credential()}
		cmd.Env = user.environment(os.Environ())
	}
	return cmd, nil
}

// runCommand starts the command and waits until it exits. SIGINT is not passed on, because the command gets
// Ctrl-C from the terminal itself; SIGTERM, SIGHUP and SIGQUIT are, so that the recording ends once the
// command has exited. started is called right after the start; its error is returned when the command has
// exited.
func runCommand(cmd *exec.Cmd, signals <-chan os.Signal, started func() error) (*schema.Program, error) {
	if err := cmd.Start(); err != nil {
		return nil, commandError(cmd.Args[0], err)
	}
	startErr := started()
	done := make(chan struct{})
	go func() {
		for {
			select {
			case sig := <-signals:
				if sig != os.Interrupt {
					_ = cmd.Process.Signal(sig)
				}
			case <-done:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(done)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("wait for %s: %w", cmd.Args[0], err)
	}
	if startErr != nil {
		return nil, startErr
	}
	return &schema.Program{
		Name:     shown.Stored(filepath.Base(cmd.Args[0])),
		Pid:      uint32(cmd.Process.Pid),
		EndNs:    bpf.Now(),
		ExitCode: int32(exitCode(cmd.ProcessState)),
	}, nil
}

// exitCode returns the exit status as a shell reports it: 128 plus the signal's number after a fatal signal.
func exitCode(s *os.ProcessState) int {
	status, ok := s.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return exitSignal + int(status.Signal())
	}
	return s.ExitCode()
}
