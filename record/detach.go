// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"os/exec"
	"strconv"
	"syscall"
)

// FirstLink is the descriptor of the first link that a child gets to close; the others follow it.
const FirstLink = 3

// detach takes the probes away, which see nothing any more. The kernel waits for a grace period of RCU-tasks, a tenth
// of a second, for each function by itself, some seconds for all; the file is whole by now, and nobody is to wait for
// that. So the links are also put into the hands of a child that closes them once they are closed here, and closing them here
// takes none. Where there can be no child the wait is here.
func (s *session) detach() error {
	links, err := s.probes.Links()
	cmd := exec.Command(s.config.Self, "detach", strconv.Itoa(len(links)))
	cmd.ExtraFiles = links
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a terminal that is closed, Ctrl-C: none of its business
	closed, pipeErr := cmd.StdinPipe()
	if pipeErr == nil && cmd.Start() == nil {
		defer closed.Close()
	}
	for _, l := range links {
		err = errors.Join(err, l.Close())
	}
	return errors.Join(err, s.probes.Close())
}
