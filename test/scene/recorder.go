// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// recorder is a dtrec record that runs in the background.
type recorder struct {
	cmd    *exec.Cmd
	stderr *bufio.Reader
	output strings.Builder
}

// fewRolesArgs returns the arguments of a recording that is about which tasks are recorded, or about the
// recorder, and so needs few roles. Each role left out is a program or two fewer to attach and detach,
// which is what a guest spends most of its time on.
func fewRolesArgs(args ...string) []string { return append([]string{"--only", fewRoles}, args...) }

const (
	fewRoles  = "open,lookup,lookup_chain,lookup_rcu,alloc,insert,kill,free,exec,exit"
	lifeRoles = fewRoles + ",instantiate,drop,move" // plus what claims about negative dentries need
)

// newRecorder returns a dtrec record that is yet to be started.
func newRecorder(args ...string) *recorder {
	r := &recorder{cmd: exec.Command("/dtrec", append([]string{"record"}, args...)...)}
	pipe, err := r.cmd.StderrPipe()
	check(err)
	r.stderr = bufio.NewReader(pipe)
	return r
}

// startRecorder starts dtrec record.
func startRecorder(args ...string) *recorder {
	r := newRecorder(args...)
	check(r.cmd.Start())
	return r
}

// recordActor starts a recording whose command is an actor, and returns when the actor answers.
func recordActor(name string, args ...string) (*recorder, *actor) {
	self, err := os.Executable()
	check(err)
	r := newRecorder(append(args, "--", self, "actor")...)
	a := newConversation(r.cmd)
	check(r.cmd.Start())
	a.do("name", name)
	return r, a
}

// record starts dtrec record without a command, and returns when the recording has begun.
func record(args ...string) *recorder {
	r := startRecorder(args...)
	r.waitBegun()
	return r
}

// waitBegun waits until dtrec prints that it records.
func (r *recorder) waitBegun() {
	for {
		line, err := r.stderr.ReadString('\n')
		r.output.WriteString(line)
		if err != nil {
			fail(fmt.Errorf("dtrec does not record: %w\n%s", err, r.output.String()))
		}
		if strings.HasPrefix(line, "dtrec: recording;") {
			return
		}
	}
}

// end interrupts the recording, and returns what dtrec printed on stderr.
func (r *recorder) end() string {
	check(r.cmd.Process.Signal(unix.SIGINT))
	return r.wait()
}

// wait waits for dtrec to exit, and returns what it printed on stderr.
func (r *recorder) wait() string {
	rest, err := io.ReadAll(r.stderr)
	check(err)
	r.output.Write(rest)
	if err := r.cmd.Wait(); err != nil {
		fail(fmt.Errorf("dtrec: %w\n%s", err, r.output.String()))
	}
	return r.output.String()
}
