// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"

	"github.com/dtrec/dtrec/record/workload"
	"github.com/dtrec/dtrec/schema"
)

// runWorkload runs a workload in a process of its own. The process becomes a target once it has taken the
// workload's name and has nothing left to do but the workload.
func runWorkload(s *session, p *workload.Program) (*schema.Program, error) {
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
	cmd := exec.Command(s.config.Self, "workload", "--wait", p.Name)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&printed, s.config.commandStdout()), s.config.Stderr
	cmd.ExtraFiles = []*os.File{readyChild, startChild} // file descriptors 3 and 4
	program, err := runCommand(cmd, s.signals, func() error {
		err := errors.Join(readyChild.Close(), startChild.Close())
		_, readErr := io.Copy(io.Discard, ready)
		return errors.Join(err, readErr, s.probes.Adopt(), start.Close())
	})
	if err != nil {
		return nil, err
	}
	program.Pid = s.probes.InitialPID(int(program.Pid))
	program.Name, program.Source, program.Stdout = p.Name, p.Source(), printed.Bytes()
	return program, nil
}

// removeWorkloadFiles removes the files that the workloads left. It must run after the recording, or else the trace would
// contain it.
func (c *Config) removeWorkloadFiles() error {
	list, _, err := workload.Select(c.Workloads)
	if err != nil {
		return err
	}
	return workload.Clean(list)
}

// commandStdout returns where the command's output goes: stderr if the trace is written to stdout.
func (c *Config) commandStdout() *os.File {
	if c.Output == "-" {
		return c.Stderr
	}
	return c.Stdout
}
