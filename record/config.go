// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
)

// Config says what is recorded, where to, and for how long. Command, Workloads or
// Targets must be given. Targets beside a Command or Workloads are recorded too, for
// as long as those run.
type Config struct {
	Command   []string // started and recorded, with all it starts; the recording ends with it, not with what it leaves running
	Workloads []string // names of built-in workloads, run one after the other
	Targets   Targets

	Output     string // path of the trace; "-" is Stdout
	Force      bool   // replace a file that is not a trace
	User       string // name or uid Command runs as; empty: who called sudo, else nobody else
	Attach     bpf.Mode
	Only       []schema.Role // roles recorded besides those that a recording needs; nil: all
	RingBytes  uint32        // size of the ring buffer, a power of two; 0: bpf.DefaultRingBytes
	WatchLimit uint32        // most dentries watched; 0: bpf.DefaultWatchLimit

	// Without Command and Workloads a recording ends by these, or by a signal. With
	// them, events after a limit are lost and counted, and the command runs on. With
	// Rotate they end a file, and the next one begins.
	Duration  time.Duration // 0: none
	MaxBytes  int64         // of the file, to within 2,048 events; 0: none
	MaxEvents uint64        // 0: none
	Rotate    int           // files kept of a recording that has several, called as tracefile.PartName has it; 0: it is one file

	Writer                string // name and version of the program, for the header
	Self                  string // path of dtrec itself, which runs the workloads
	Stdin, Stdout, Stderr *os.File
	Status                *os.File // a terminal for the status line; nil: none

	// Begun, if not nil, is called when the probes see and a signal would end the
	// recording as it should. Not with Command or Workloads: what they do shows it.
	Begun func()
}

// Targets are tasks that run already.
type Targets struct {
	All    bool
	PIDs   []uint32
	Comm   string
	Cgroup string // path of a cgroup v2 directory
}

func (t *Targets) empty() bool { return !t.All && len(t.PIDs) == 0 && t.Comm == "" && t.Cgroup == "" }

func (c *Config) bpf() bpf.Config {
	return bpf.Config{
		FollowChildren: len(c.Command) > 0, Adopts: len(c.Workloads) > 0, // a workload is adopted when it is about to begin
		All: c.Targets.All, PIDs: c.Targets.PIDs, Comm: c.Targets.Comm, Cgroup: c.Targets.Cgroup,
		Attach: c.Attach, Only: c.Only, RingBytes: c.RingBytes, WatchLimit: c.WatchLimit,
	}
}

func (c *Config) ringBytes() uint32 {
	if c.RingBytes == 0 {
		return bpf.DefaultRingBytes
	}
	return c.RingBytes
}

func (c *Config) watchLimit() uint32 {
	if c.WatchLimit == 0 {
		return bpf.DefaultWatchLimit
	}
	return c.WatchLimit
}

// words is the recorded command for the header.
func (c *Config) words() []string {
	if len(c.Workloads) > 0 {
		return append([]string{"--workload"}, strings.Join(c.Workloads, ","))
	}
	return c.Command
}

// target says in words which tasks are recorded; empty means all.
func (c *Config) target() string {
	if c.Targets.All {
		return ""
	}
	var words []string
	switch {
	case len(c.Workloads) > 0:
		words = append(words, "the workloads and what they start")
	case len(c.Command) > 0:
		words = append(words, "the command and what it starts")
	}
	for _, pid := range c.Targets.PIDs {
		words = append(words, fmt.Sprintf("process %d and what it starts", pid))
	}
	if c.Targets.Comm != "" {
		words = append(words, fmt.Sprintf("tasks named %q", c.Targets.Comm))
	}
	if c.Targets.Cgroup != "" {
		words = append(words, "cgroup "+c.Targets.Cgroup)
	}
	return strings.Join(words, "; ")
}
