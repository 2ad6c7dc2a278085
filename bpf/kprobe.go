// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/dtrec/dtrec/schema"
)

// kretprobeCalls is how many calls of one function a kretprobe can have in progress at once. The kernel's
// default is a few per CPU, which is not enough because opens sleep.
const kretprobeCalls = 1024

// namedTries is how often a kprobe with a name in tracefs is tried before an unnamed one, whose missed hits
// nobody counts.
const namedTries = 3

const stashMap = "stashed"

var (
	errNoMulti     = errors.New("no kprobe.multi in this kernel")
	errNoKprobe    = errors.New("no kprobes in this kernel, or sysfs is not mounted")
	errNotCompiled = errors.New("no kprobe programs were built for this architecture")
)

// newKprobes reads the object of kprobe.bpf.c. Its programs share the maps and variables of the other object;
// only the stash is their own.
func newKprobes(shared object) (object, error) {
	if len(_KprobeBytes) == 0 {
		return object{}, errNotCompiled
	}
	spec, err := readObject(_KprobeBytes)
	if err != nil {
		return object{}, fmt.Errorf("read the built-in kprobe programs: %w", err)
	}
	for name, m := range shared.spec.Maps {
		if spec.Maps[name] == nil {
			return object{}, fmt.Errorf("the kprobe programs have no map %s", name)
		}
		spec.Maps[name].MaxEntries = m.MaxEntries
	}
	stash, err := ebpf.NewMap(spec.Maps[stashMap])
	if err != nil {
		return object{}, fmt.Errorf("create the stash: %w", err)
	}
	o := object{spec: spec, maps: maps.Clone(shared.maps)}
	o.maps[stashMap] = stash
	return o, nil
}

// attachKprobe attaches the program and, if it runs on exit and needs an argument, also the program that
// keeps the argument on entry.
func (a *attacher) attachKprobe(role schema.Role, c candidate) (*attached, error) {
	if a.noMulti && isMulti(c.attach) {
		return nil, fmt.Errorf("attach: %w", errNoMulti)
	}
	if err := a.ensureKprobes(); err != nil {
		return nil, err
	}
	symbols := link.KprobeMultiOptions{Symbols: []string{c.symbol}}
	exit, err := a.attachOne(role, c, symbols)
	if err != nil {
		return nil, err
	}
	c.program += "_stash"
	if a.kprobe.spec.Programs[c.program] == nil {
		return exit, nil
	}
	switch c.attach {
	case schema.KretprobeMulti:
		c.attach = schema.KprobeMulti
	case schema.Kretprobe:
		c.attach = schema.Kprobe
	}
	if exit.stash, err = a.attachOne(role, c, symbols); err != nil {
		return nil, errors.Join(fmt.Errorf("on entry: %w", err), exit.close())
	}
	return exit, nil
}

// ensureKprobes reads the object of kprobe.bpf.c when it is first needed.
func (a *attacher) ensureKprobes() (err error) {
	if a.kprobe.spec == nil {
		a.kprobe, err = newKprobes(a.trampoline)
	}
	return err
}

func isMulti(a schema.Attach) bool { return a == schema.KprobeMulti || a == schema.KretprobeMulti }

// attachOne attaches one program of kprobe.bpf.c to one symbol, or to several by kprobe.multi.
func (a *attacher) attachOne(role schema.Role, c candidate, symbols link.KprobeMultiOptions) (*attached, error) {
	prog, runs, err := a.load(a.kprobe, c.program, func(p *ebpf.ProgramSpec) {
		if isMulti(c.attach) {
			p.AttachType = ebpf.AttachTraceKprobeMulti
		}
	})
	if err != nil {
		return nil, err
	}
	for range namedTries {
		if a.profile == nil || isMulti(c.attach) {
			break
		}
		if k, err := a.profile.attach(role, c, prog, runs); err == nil {
			return &attached{role: role, prog: prog, link: k, counted: true}, nil
		}
	}
	l, err := attachSymbols(prog, c, symbols)
	if err != nil {
		prog.Close()
		err = bareCause(c.attach, err)
		a.noMulti = a.noMulti || errors.Is(err, errNoMulti)
		return nil, fmt.Errorf("attach: %w", err)
	}
	return &attached{role: role, prog: prog, link: l, counted: a.linksCount}, nil
}

// bareCause returns the kernel's own error, without the messages of the library about the ways it tried.
func bareCause(attach schema.Attach, err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, ebpf.ErrNotSupported) && isMulti(attach):
		return errNoMulti
	case errors.As(err, &errno):
		return errno
	}
	if _, stat := os.Stat("/sys/bus/event_source/devices/kprobe"); stat != nil {
		return errNoKprobe
	}
	return err
}

func attachSymbols(prog *ebpf.Program, c candidate, symbols link.KprobeMultiOptions) (link.Link, error) {
	switch c.attach {
	case schema.KprobeMulti:
		return link.KprobeMulti(prog, symbols)
	case schema.KretprobeMulti:
		return link.KretprobeMulti(prog, symbols)
	case schema.Kprobe:
		return link.Kprobe(c.symbol, prog, nil)
	case schema.Kretprobe:
		// Only tracefs accepts the number of calls, and it may not be mounted.
		l, err := link.Kretprobe(c.symbol, prog, &link.KprobeOptions{RetprobeMaxActive: kretprobeCalls, TraceFSPrefix: tracefsGroup()})
		if err != nil {
			l, err = link.Kretprobe(c.symbol, prog, nil)
		}
		return l, err
	default:
		return nil, fmt.Errorf("attach type %d is no kprobe", c.attach)
	}
}

// countsMissed reports whether links say what they missed: kprobe.multi and single kprobes do so since 6.7.
func countsMissed(kernel *btf.Spec) bool {
	var info *btf.Struct
	if kernel.TypeByName("bpf_link_info", &info) != nil {
		return false
	}
	multi, _, _ := member(info.Members, "kprobe_multi")
	_, _, missed := member(membersOf(multi.Type), "missed")
	return missed
}

// takeMissed returns the hits of this program and its stash that were missed since the last call: those at
// which the kernel did not run the program because it or another one was running on that CPU, and, if the
// link counts them, those that the probe could not handle.
func (a *attached) takeMissed() (uint64, error) {
	if a == nil {
		return 0, nil
	}
	stats, err := a.prog.Stats()
	if err != nil {
		return 0, fmt.Errorf("read missed hits: %w", err)
	}
	total := stats.RecursionMisses
	if l, ok := a.link.(link.Link); ok && a.counted {
		missed, err := linkMissed(l)
		if err != nil {
			return 0, fmt.Errorf("read missed hits: %w", err)
		}
		total += missed
	}
	n := total - a.missed
	a.missed = total
	entry, err := a.stash.takeMissed()
	return n + entry, err
}

func linkMissed(l link.Link) (uint64, error) {
	info, err := l.Info()
	if err != nil {
		return 0, err
	}
	if multi := info.KprobeMulti(); multi != nil {
		return multi.Missed, nil
	}
	if perf := info.PerfEvent(); perf != nil {
		if kprobe := perf.Kprobe(); kprobe != nil {
			return kprobe.Missed, nil
		}
	}
	return 0, nil
}
