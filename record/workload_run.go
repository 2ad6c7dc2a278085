// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// Descriptors of a workload that waits to be recorded.
const (
	readyFD = 3 // the workload closes it when it is about to begin
	startFD = 4 // at its end it begins
)

// WaitForRecorder is the gate of a workload run by a recorder: what the process did
// up to here, its language runtime's start-up, is not part of the program.
func WaitForRecorder() error {
	if err := unix.Close(readyFD); err != nil {
		return fmt.Errorf("tell the recorder: %w", err)
	}
	var b [1]byte
	if _, err := unix.Read(startFD, b[:]); err != nil {
		return fmt.Errorf("wait for the recorder: %w", err)
	}
	return unix.Close(startFD)
}

// runWorkload runs a workload in its own process, which is a target from the moment
// it has the workload's name and nothing left to do but the workload.
func runWorkload(s *session, w *Workload) (*schema.Program, error) {
	ready, readyChild, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	defer readyChild.Close()
	startChild, start, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer startChild.Close()
	defer start.Close()
	var printed bytes.Buffer
	cmd := exec.Command(s.config.Self, "workload", "--wait", w.Name)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&printed, s.config.commandStdout()), s.config.Stderr
	cmd.ExtraFiles = []*os.File{readyChild, startChild} // 3 and 4
	program, err := runCommand(cmd, func() error {
		err := errors.Join(readyChild.Close(), startChild.Close())
		_, readErr := io.Copy(io.Discard, ready)
		return errors.Join(err, readErr, s.probes.Adopt(), start.Close())
	})
	if err != nil {
		return nil, err
	}
	program.Name, program.Source, program.Stdout = w.Name, w.Source(), printed.Bytes()
	return program, nil
}

// commandStdout is where a command's output goes: to stderr when stdout is the trace's.
func (c *Config) commandStdout() *os.File {
	if c.Output == "-" {
		return c.Stderr
	}
	return c.Stdout
}
