// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// Machine describes what recording needs and this machine offers, as far as any user can see without
// attaching a probe.
type Machine struct {
	BPF             error             // why bpf(2) is not available; nil if it is
	BTF             error             // why the kernel's type information cannot be read; nil if it can
	Capabilities    []string          // effective ones among CAP_SYS_ADMIN, CAP_PERFMON and CAP_BPF
	CapabilitiesErr error             // why the capabilities are not known
	Lacking         string            // capabilities that are needed and not effective; empty for none
	Lockdown        string            // lockdown mode; empty if there is no such file
	Memlock         uint64            // limit on locked memory in bytes, MemlockUnlimited for none; BPF memory counts towards it until 5.10
	UnprivilegedBPF string            // kernel.unprivileged_bpf_disabled; empty if unknown
	JIT             string            // net.core.bpf_jit_enable; empty if unknown
	TraceFS         bool              // tracefs is mounted, and its kprobe_events can be read
	Leftovers       []string          // events in kprobe_events of recorders that were killed
	Functions       map[string]uint64 // addresses of those that exist, 0 if hidden
	FunctionsErr    error             // why kallsyms could not be read
}

// MemlockUnlimited is RLIM_INFINITY.
const MemlockUnlimited = ^uint64(0)

// Kernel functions that show which options a kernel was built with. Machine.Functions has an entry for each
// one that exists.
const (
	FuncTrampoline = "bpf_trampoline_link_prog" // CONFIG_BPF_JIT
	FuncFtrace     = "ftrace_set_filter_ip"     // CONFIG_DYNAMIC_FTRACE
	FuncKprobe     = "register_kprobe"          // CONFIG_KPROBES
	FuncKretprobe  = "register_kretprobe"       // CONFIG_KRETPROBES
	FuncFprobe     = "register_fprobe"          // CONFIG_FPROBE: kprobe.multi
)

// Examine looks at the machine without attaching anything.
func Examine() Machine {
	m := Machine{
		Lockdown:        lockdownMode("/sys/kernel/security/lockdown"),
		UnprivilegedBPF: readSetting("/proc/sys/kernel/unprivileged_bpf_disabled"),
		JIT:             readSetting("/proc/sys/net/core/bpf_jit_enable"),
		Lacking:         missingCapabilities("/proc/self/status"),
	}
	m.BPF = checkBPF()
	_, m.BTF = btf.LoadKernelSpec()
	m.Capabilities, m.CapabilitiesErr = effectiveCapabilities("/proc/self/status")
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil {
		m.Memlock = limit.Cur
	}
	events, left := findLeftovers()
	m.TraceFS, m.Leftovers = events != "", left
	m.Functions, m.FunctionsErr = kallsyms("/proc/kallsyms", FuncTrampoline, FuncFtrace, FuncKprobe, FuncKretprobe, FuncFprobe)
	return m
}

// checkBPF returns an error if the kernel has no bpf(2). It calls bpf(2) with a command that does not exist. A
// kernel without bpf(2) has no type information either, but blaming that would be misleading.
func checkBPF() error {
	if _, _, errno := unix.Syscall(unix.SYS_BPF, ^uintptr(0), 0, 0); errno == unix.ENOSYS {
		return &MissingError{Lack: LackTracing, What: "bpf(2), CONFIG_BPF_SYSCALL", Err: errno}
	}
	return nil
}

func readSetting(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// effectiveCapabilities names which of the three capabilities that matter are effective, by the CapEff line of a
// status file.
func effectiveCapabilities(path string) ([]string, error) {
	status, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, line, ok := strings.Cut(string(status), "CapEff:")
	if !ok {
		return nil, errors.New("no CapEff line")
	}
	line, _, _ = strings.Cut(line, "\n")
	caps, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	if err != nil {
		return nil, err
	}
	have := []string{}
	for _, c := range []struct {
		bit  int
		name string
	}{{unix.CAP_BPF, "CAP_BPF"}, {unix.CAP_PERFMON, "CAP_PERFMON"}, {unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}} {
		if caps&(1<<c.bit) != 0 {
			have = append(have, c.name)
		}
	}
	return have, nil
}

// ErrNotTried is the error of a candidate that was not attached although nothing is known against it.
var ErrNotTried = errors.New("attaching not tried")

// CheckPlan returns the plan without attaching anything. The error of each attempt is ErrNotTried, or what the
// kernel's type information has against the candidate. The order depends on whether the kernel preempts, as
// far as its version says.
func CheckPlan(mode Mode) ([]Attempt, error) {
	a := attacher{cache: btf.NewCache()}
	kernel, err := a.cache.Kernel()
	if err != nil {
		return nil, fmt.Errorf("read the kernel's type information: %w", err)
	}
	var attempts []Attempt
	for _, p := range plan(mode, kernelTraits{preemption(Kernel().Version, 0, false).Interrupts(), !countsMissed(kernel) && profileComplete()}) {
		for _, c := range p.candidates {
			try := newAttempt(p, c)
			if try.Err = a.checkPrototype(c); c.attach == schema.TPBTF {
				try.Err = checkTracepoint(kernel, c.symbol)
			}
			if try.Err == nil {
				try.Err = ErrNotTried
			}
			attempts = append(attempts, try)
		}
	}
	return attempts, nil
}

func checkTracepoint(kernel *btf.Spec, name string) error {
	var t *btf.Typedef
	if kernel.TypeByName("btf_trace_"+name, &t) != nil {
		return &UnfitError{"no such tracepoint in the kernel's BTF"}
	}
	return nil
}
