// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"os/exec"
	"strconv"
	"syscall"
)

// FirstLink is the file descriptor of the first link that the detach child inherits; the others follow it.
const FirstLink = 3

// detach removes the probes, which are disabled by now. For each function the kernel waits for an RCU-tasks
// grace period of about a tenth of a second, which adds up to some seconds. The file is complete by now, so
// nobody should have to wait for that. Therefore a child inherits duplicates of the links: closing them here
// takes no time, and the child closes its own after that. If the child cannot be started, closing them here
// takes those seconds.
func (s *session) detach() error {
	links, err := s.probes.Links()
	cmd := exec.Command(s.config.Self, "detach", strconv.Itoa(len(links)))
	cmd.ExtraFiles = links
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a closed terminal or Ctrl-C must not end the child
	closed, pipeErr := cmd.StdinPipe()
	if pipeErr == nil && cmd.Start() == nil {
		defer closed.Close()
	}
	for _, l := range links {
		err = errors.Join(err, l.Close())
	}
	return errors.Join(err, s.probes.Close())
}
