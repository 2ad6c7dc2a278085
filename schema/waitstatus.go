// SPDX-License-Identifier: Apache-2.0

package schema

import "fmt"

// WaitStatus is how a process ended, as wait(2) returns it: Ret of an exit.
type WaitStatus uint64

// Code returns the exit code of a process that ended by itself; ok is false if it did not.
func (s WaitStatus) Code() (code int, ok bool) { return int(s >> 8), s&^0xff00 == 0 }

// Signal returns the number of the signal that killed the process, or 0. core reports whether its memory
// was written to a file.
func (s WaitStatus) Signal() (n int, core bool) {
	if n = int(s & 0x7f); n == 0x7f || s>>8 != 0 {
		return 0, false
	}
	return n, s&0x80 != 0
}

// String describes it in words.
func (s WaitStatus) String() string {
	if code, ok := s.Code(); ok {
		return fmt.Sprintf("exit code %d", code)
	}
	n, core := s.Signal()
	switch {
	case n == 0:
		return fmt.Sprintf("wait status %#x", uint64(s))
	case core:
		return "killed by " + SignalName(n) + ", core dumped"
	}
	return "killed by " + SignalName(n)
}

// SignalName returns the name of a signal on x86-64 and arm64 Linux, whatever system reads the trace.
// Source: include/uapi/asm-generic/signal.h.
func SignalName(n int) string {
	switch {
	case n > 0 && n < len(signalNames):
		return signalNames[n]
	case n >= 32 && n <= 64:
		return fmt.Sprintf("real-time signal %d", n)
	}
	return fmt.Sprintf("signal %d", n)
}

var signalNames = [...]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
	16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU",
	23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO",
	30: "SIGPWR", 31: "SIGSYS",
}
