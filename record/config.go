// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// Config says what to record, where to write it, and for how long. Command, Workloads or Targets must be
// given. Targets given together with Command or Workloads are recorded too, for as long as those run.
type Config struct {
	Command   []string // started and recorded with all its descendants; the recording ends when it exits, even if descendants still run
	Workloads []string // names of built-in workloads, run one after another
	Targets   Targets

	Output     string // path of the trace; "-" means Stdout
	Force      bool   // replace an existing file even if it is not a trace
	User       string // name or uid that Command runs as; empty: the user who called sudo, if any, otherwise the current user
	Attach     bpf.Mode
	Only       []schema.Role // roles to record besides the required ones; nil: all
	RingBytes  uint32        // size of the ring buffer, a power of two; 0: bpf.DefaultRingBytes
	WatchLimit uint32        // most dentries watched at once; 0: bpf.DefaultWatchLimit

	// Without Command and Workloads, these limits or a signal end the recording. With them, the events after a
	// limit are lost and counted, and the command runs on. With Rotate, a limit ends the file and the next
	// one begins.
	Duration  time.Duration // 0: none
	MaxBytes  int64         // size of the file, exceeded by at most 2,048 events; 0: none
	MaxEvents uint64        // 0: none
	Rotate    int           // number of files kept, named by tracefile.PartName; 0: the recording is one file

	Writer                string // name and version of the recording program, for the header
	Self                  string // path of the dtrec executable, started again to run workloads and to detach
	Stdin, Stdout, Stderr *os.File
	Status                *os.File // terminal for the status line; nil: none

	// Begun, if not nil, is called once the probes record and a signal ends the recording in the regular way.
	// It is not called with Command or Workloads, where the start of the program shows this.
	Begun func()
}

// Targets selects tasks that are running already.
type Targets struct {
	All    bool
	PIDs   []uint32
	Comm   string
	Cgroup string // path of a cgroup v2 directory
}

func (t *Targets) empty() bool { return !t.All && len(t.PIDs) == 0 && t.Comm == "" && t.Cgroup == "" }

func (c *Config) bpf() bpf.Config {
	return bpf.Config{
		FollowChildren: len(c.Command) > 0, Adopts: len(c.Workloads) > 0, // a workload's process is adopted just before it begins
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

// commandLine returns the recorded command line for the header.
func (c *Config) commandLine() []string {
	if len(c.Workloads) > 0 {
		return append([]string{"--workload"}, strings.Join(c.Workloads, ","))
	}
	var words []string
	for _, w := range c.Command {
		words = append(words, shown.Stored(w))
	}
	return words
}

// targetText describes in words which tasks are recorded, for the header; empty means all.
func (c *Config) targetText() string {
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
		words = append(words, "tasks named \""+c.Targets.Comm+"\"") // not escaped: whoever prints the header does that
	}
	if c.Targets.Cgroup != "" {
		words = append(words, "cgroup "+c.Targets.Cgroup)
	}
	return shown.Stored(strings.Join(words, "; "))
}
