// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// profile counts what kprobes missed before Linux 6.7, where links do not say. For a kprobe with a name in
// tracefs, kprobe_profile has how often it was hit and how many hits it could not handle. It does not say
// whether the program ran at each hit: no program runs on a CPU on which another one is running or a map is
// being changed. So each program counts its own runs.
type profile struct {
	dir      string // of tracefs
	file     *os.File
	buf      bytes.Buffer // its text at the last reading
	counters map[string]*counter
}

// counter holds the counts of one kprobe of a profile.
type counter struct {
	role        schema.Role
	runs        func() uint64 // returns how often its program has run so far
	least, most uint64        // bounds of the missed hits; they differ if programs ran during the last look
	reported    uint64        // missed hits already reported
	lastClean   uint64        // last time at which there were certainly no other missed hits, nanoseconds since boot
}

// profileComplete reports whether kprobe_profile is complete: until 5.15 it lacks what kretprobes miss.
func profileComplete() bool {
	var major, minor int
	_, err := fmt.Sscanf(Kernel().Release, "%d.%d", &major, &minor)
	return err == nil && (major > 5 || major == 5 && minor >= 16)
}

// openProfile returns nil if there is no complete profile, or if this user may not read it.
func openProfile() *profile {
	for _, dir := range tracefsDirs() {
		if file, err := os.Open(dir + "/kprobe_profile"); err == nil && profileComplete() {
			return &profile{dir: dir, file: file, counters: make(map[string]*counter)}
		}
	}
	return nil
}

func (p *profile) close() error {
	if p == nil {
		return nil
	}
	return p.file.Close()
}

// namedKprobe is a kprobe with a name in tracefs, and the program it runs.
type namedKprobe struct {
	events string // path of kprobe_events
	name   string // GROUP/EVENT
	perf   int    // descriptor of the perf event that holds the program; -1 before it is open
}

// Close removes the kprobe.
func (k *namedKprobe) Close() error {
	if k.perf >= 0 {
		if err := unix.Close(k.perf); err != nil {
			return fmt.Errorf("close the perf event of %s: %w", k.name, err)
		}
	}
	return writeEvent(k.events, "-:"+k.name)
}

// writeEvent creates or removes a kprobe with one line in kprobe_events.
func writeEvent(file, line string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// attach creates a kprobe or kretprobe that runs a program, and counts what it misses. Runs is the variable
// that counts the program's runs.
func (p *profile) attach(role schema.Role, c candidate, prog *ebpf.Program, runs *ebpf.Variable) (*namedKprobe, error) {
	name := fmt.Sprintf("%s_%d_%d", c.symbol, os.Getpid(), len(p.counters))
	k := &namedKprobe{events: p.dir + "/kprobe_events", name: fmt.Sprintf("%s_%016x/%s", tracefsGroup(), len(p.counters), name), perf: -1}
	kind := "p"
	if c.attach == schema.Kretprobe {
		kind = fmt.Sprintf("r%d", kretprobeCalls)
	}
	if err := writeEvent(k.events, fmt.Sprintf("%s:%s %s", kind, k.name, c.symbol)); err != nil {
		return nil, err
	}
	if err := p.run(k, prog); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	p.counters[name] = &counter{role: role, runs: func() (n uint64) {
		_ = runs.Get(&n) // cannot fail: it is mapped memory of this size
		return n
	}}
	return k, nil
}

// run makes a kprobe run a program on every CPU.
func (p *profile) run(k *namedKprobe, prog *ebpf.Program) error {
	text, err := os.ReadFile(p.dir + "/events/" + k.name + "/id")
	if err != nil {
		return err
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return err
	}
	event := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Sample_type: unix.PERF_SAMPLE_RAW, Sample: 1, Wakeup: 1}
	if k.perf, err = unix.PerfEventOpen(&event, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC); err != nil {
		return fmt.Errorf("perf_event_open: %w", err)
	}
	if err := unix.IoctlSetInt(k.perf, unix.PERF_EVENT_IOC_SET_BPF, prog.FD()); err != nil {
		return fmt.Errorf("set the program: %w", err)
	}
	return unix.IoctlSetInt(k.perf, unix.PERF_EVENT_IOC_ENABLE, 0)
}

// maxListReads is how often the list of kprobes is read until it has all of ours: some may be absent if
// another recorder removes its own during the reading.
const maxListReads = 10

// refresh compares hits with runs. Programs may run between the reading of the two, so the runs are read before
// and after the hits; they give the bounds of what was missed.
func (p *profile) refresh() error {
	for range maxListReads {
		seen, err := p.compare()
		if err != nil {
			return fmt.Errorf("read %s: %w", p.file.Name(), err)
		}
		if seen == len(p.counters) {
			return nil
		}
	}
	return fmt.Errorf("%s has not all of the %d kprobes", p.file.Name(), len(p.counters))
}

// compare does this once and returns how many of the kprobes it found in the list.
func (p *profile) compare() (seen int, err error) {
	for _, c := range p.counters {
		c.most = -c.runs()
	}
	p.buf.Reset()
	if _, err := p.buf.ReadFrom(io.NewSectionReader(p.file, 0, math.MaxInt64)); err != nil {
		return 0, err
	}
	for _, c := range p.counters {
		c.least = -c.runs()
	}
	for lines := bufio.NewScanner(bytes.NewReader(p.buf.Bytes())); lines.Scan(); {
		var name string
		var hits, missed uint64
		_, err := fmt.Sscan(lines.Text(), &name, &hits, &missed) // a line cut short is not counted as seen, and the list is read again
		if c := p.counters[name]; c != nil && err == nil {
			seen++
			c.least += hits + missed
			c.most += hits + missed
		}
	}
	for _, c := range p.counters {
		if int64(c.least) < int64(c.reported) {
			c.least = c.reported
		}
	}
	return seen, nil
}

// maxSettleReads is how often settle looks for a moment in which no program runs.
const maxSettleReads = 100

// start begins counting. Hits from before the program was attached do not count as missed.
func (p *profile) start() error {
	if p == nil {
		return nil
	}
	if err := p.settle(); err != nil {
		return err
	}
	for _, c := range p.counters {
		c.reported, c.lastClean = c.least, Now()
	}
	return nil
}

// settle looks until no program ran during a look, or until it has looked often enough.
func (p *profile) settle() error {
	for range maxSettleReads {
		if err := p.refresh(); err != nil {
			return err
		}
		busy := false
		for _, c := range p.counters {
			busy = busy || c.least != c.most
		}
		if !busy {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// take appends what was missed since the last call. A look may fall between a hit and the moment its program
// counts itself, and then the hit seems missed; so only what still seems missed after Lag counts. At the end
// of a recording, what cannot be told from a program that ran counts as missed too, because nothing may be
// proven from what nobody knows.
func (p *profile) take(dst []*schema.Loss, atEnd bool) ([]*schema.Loss, error) {
	if p == nil || len(p.counters) == 0 {
		return dst, nil
	}
	now := Now()
	if err := p.refresh(); err != nil {
		return dst, err
	}
	if atEnd {
		if err := p.settle(); err != nil {
			return dst, err
		}
	}
	first := make(map[*counter]uint64)
	for _, c := range p.counters {
		switch {
		case atEnd && c.most > c.reported:
			first[c] = c.most
		case c.least > c.reported:
			first[c] = c.least
		case c.most <= c.reported:
			c.lastClean = now
		}
	}
	if len(first) == 0 {
		return dst, nil
	}
	time.Sleep(Lag)
	if err := p.refresh(); err != nil {
		return dst, err
	}
	for c, missed := range first {
		seems := c.least
		if atEnd {
			seems = c.most
		}
		if missed = min(missed, seems); missed > c.reported {
			dst = append(dst, &schema.Loss{Cause: schema.LossMissed, Role: c.role, Count: missed - c.reported, FirstNs: c.lastClean, LastNs: Now()})
			c.reported, c.lastClean = missed, now
		}
	}
	return dst, nil
}
