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
	"syscall"

	"golang.org/x/sys/unix"
)

// orderPipe is the pipe from the host to the control port; its files are nil if QEMU is too old to read it.
type orderPipe struct {
	read, write *os.File
}

// newOrders returns a pipe if this QEMU can read a port from a file.
func newOrders(e emulator) (orderPipe, error) {
	if e.problem() != "" {
		return orderPipe{}, nil
	}
	r, w, err := os.Pipe()
	return orderPipe{r, w}, err
}

func (o orderPipe) close() {
	if o.read != nil {
		o.read.Close()
		o.write.Close()
	}
}

// passOn sends the first signal that comes after up is closed to the job, and stops the guest for any other. When the
// time of the run is over it interrupts the job, which then has until ctx is done. It returns when it has stopped the
// guest, or when ctx is done.
func (o orderPipe) passOn(ctx context.Context, c Config, up <-chan struct{}, stop context.CancelCauseFunc) {
	for sent := false; ; sent = true {
		select {
		case <-ctx.Done():
			return
		case <-c.limit.over:
			switch {
			case sent:
			case o.write == nil || !isClosed(up) || o.send(os.Interrupt) != nil:
				stop(c.limit.cause)
				return
			default:
				c.limit.interrupted.Store(true)
				c.Notice(fmt.Sprintf("%v are over: Ctrl-C passed on to the job in the guest; it has %v to end", c.Timeout, c.grace))
			}
		case s := <-c.Signals:
			if sent || o.write == nil || !isClosed(up) || o.send(s) != nil {
				stop(fmt.Errorf("%w by %v", context.Canceled, s))
				return
			}
			c.Notice(fmt.Sprintf("%v: passed on to the job in the guest; the next one ends the guest, and what it did is lost", s))
		}
	}
}

func (o orderPipe) send(s os.Signal) error {
	signal, ok := s.(syscall.Signal)
	if !ok {
		return fmt.Errorf("%v is no signal of this system", s)
	}
	line, err := json.Marshal(order{Signal: signal})
	if err != nil {
		return err
	}
	_, err = o.write.Write(append(line, '\n'))
	return err
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// receiveSignals returns the signals that the host orders, read from the control port in the guest. A line that is
// no order is skipped: a port may begin with what was left in its buffer.
func receiveSignals(port io.Reader) <-chan syscall.Signal {
	heard := make(chan syscall.Signal, 1)
	go func() {
		for lines := bufio.NewScanner(port); lines.Scan(); {
			var o order
			if json.Unmarshal(lines.Bytes(), &o) == nil && o.Signal > 0 {
				heard <- o.Signal
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
