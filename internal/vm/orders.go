// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// orderPipe returns a pipe from the host to the control port; nil if QEMU is too old to read a port from a file.
func (p *plan) orderPipe() (r, w *os.File, err error) {
	if p.emulator.problem() != "" {
		return nil, nil, nil
	}
	return os.Pipe()
}

// passOn sends the first signal that comes once the guest is up to the job, and stops the guest for any other. When the
// time of the run is over it interrupts the job, which then has until ctx is done. It returns when it has stopped the
// guest, or when ctx is done.
func (p *plan) passOn(ctx context.Context, orders *os.File, up *atomic.Bool, stop context.CancelCauseFunc) {
	passed := func(s os.Signal) bool {
		signal, known := s.(syscall.Signal)
		return known && up.Load() && message{Signal: signal}.write(orders) == nil
	}
	for sent := false; ; sent = true {
		select {
		case <-ctx.Done():
			return
		case <-p.limit.over:
			switch {
			case sent:
			case !passed(os.Interrupt):
				stop(p.limit.cause)
				return
			default:
				p.limit.interrupted.Store(true)
				p.Notice(fmt.Sprintf("%v are over: Ctrl-C passed on to the job in the guest; it has %v to end", p.Timeout, p.grace))
			}
		case s := <-p.Signals:
			if sent || !passed(s) {
				stop(fmt.Errorf("%w by %v", context.Canceled, s))
				return
			}
			p.Notice(fmt.Sprintf("%v: passed on to the job in the guest; the next one ends the guest, and what it did is lost", s))
		}
	}
}

// receiveSignals returns the signals that the host orders, read from the control port in the guest. A line that is
// no message is skipped: a port may begin with what was left in its buffer.
func receiveSignals(port io.Reader) <-chan syscall.Signal {
	heard := make(chan syscall.Signal, 1)
	go func() {
		for lines := bufio.NewScanner(port); lines.Scan(); {
			var m message
			if json.Unmarshal(lines.Bytes(), &m) == nil && m.Signal > 0 {
				heard <- m.Signal
			}
		}
	}()
	return heard
}

// signalJob sends what is heard to the job's process group, until done is closed.
func signalJob(pid int, heard <-chan syscall.Signal, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case s := <-heard:
			if err := unix.Kill(-pid, s); err != nil && !errors.Is(err, unix.ESRCH) {
				fmt.Fprintf(os.Stderr, "dtrec-vm: %v for the job: %v\n", s, err)
			}
		}
	}
}
