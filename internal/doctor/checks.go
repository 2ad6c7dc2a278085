// SPDX-License-Identifier: Apache-2.0

//go:build linux

package doctor

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/bpf"
)

// machineChecks returns the checks on what the machine offers.
func machineChecks(m bpf.Machine) []Check {
	return append([]Check{
		hasCheck("bpf(2)", m.BPF, "the kernel has it", bpf.LackTracing), hasCheck("BTF", m.BTF, "the kernel describes its types", bpf.LackBTF),
		capabilityCheck(m), lockdownCheck(m), memlockCheck(m), unprivilegedCheck(m), jitCheck(m),
	}, functionChecks(m)...)
}

// hasCheck returns a check on something that the kernel has, or lacks if the error is not nil.
func hasCheck(name string, lack error, has string, what bpf.Lack) Check {
	if lack != nil {
		return Check{name, Missing, lack.Error(), Remedy(what)}
	}
	return Check{Name: name, State: OK, Value: has}
}

func capabilityCheck(m bpf.Machine) Check {
	c := Check{Name: "capabilities", State: OK, Value: "effective: " + strings.Join(m.Capabilities, ", ")}
	switch {
	case m.CapabilitiesErr != nil:
		c.State, c.Value = Unknown, m.CapabilitiesErr.Error()
	case m.Lacking != "":
		c.State, c.Value, c.Remedy = Missing, "no "+m.Lacking, Remedy(bpf.LackPrivilege)
	}
	return c
}

// lockdownCheck reports the lockdown mode. Only confidentiality forbids reading kernel memory and kprobes
// (LOCKDOWN_BPF_READ_KERNEL, LOCKDOWN_KPROBES in include/linux/security.h).
func lockdownCheck(m bpf.Machine) Check {
	c := Check{Name: "lockdown", State: OK, Value: m.Lockdown}
	switch m.Lockdown {
	case "none", "integrity":
	case "":
		c.State, c.Value = Unknown, "no lockdown file: securityfs is not mounted, or the kernel has no lockdown"
	default:
		c.State, c.Remedy = Missing, Remedy(bpf.LackLockdown)
	}
	return c
}

func memlockCheck(m bpf.Machine) Check {
	c := Check{Name: "memlock", State: Note, Value: "unlimited"}
	if m.Memlock != bpf.MemlockUnlimited {
		c.Value = fmt.Sprintf("%d KiB", m.Memlock>>10) + "; counts until 5.10, and record raises it if it may"
	}
	return c
}

func unprivilegedCheck(m bpf.Machine) Check {
	c := Check{Name: "unprivileged BPF", State: Note, Value: "kernel.unprivileged_bpf_disabled=" + m.UnprivilegedBPF}
	switch m.UnprivilegedBPF {
	case "":
		c.State, c.Value = Unknown, "no kernel.unprivileged_bpf_disabled"
	case "0":
		c.Value += " (others may load BPF, but not for tracing)"
	default:
		c.Value += " (nothing to recording, which has capabilities)"
	}
	return c
}

func jitCheck(m bpf.Machine) Check {
	c := Check{Name: "BPF JIT", State: OK, Value: "net.core.bpf_jit_enable=" + m.JIT}
	switch m.JIT {
	case "":
		c.State, c.Value = Unknown, "no net.core.bpf_jit_enable to be read"
	case "0":
		c.State, c.Remedy = Missing, "sysctl net.core.bpf_jit_enable=1; without it there is no fentry"
	}
	return c
}

// functionChecks returns checks on which ways of tracing were built into the kernel, and on tracefs.
func functionChecks(m bpf.Machine) []Check {
	list := []struct {
		name, function, config string
		fallback               bool
	}{
		{"BPF trampolines", bpf.FuncTrampoline, "CONFIG_BPF_JIT", false},
		{"ftrace", bpf.FuncFtrace, "CONFIG_DYNAMIC_FTRACE", false},
		{"kprobe.multi", bpf.FuncFprobe, "CONFIG_FPROBE", true},
		{"kprobes", bpf.FuncKprobe, "CONFIG_KPROBES", true},
		{"kretprobes", bpf.FuncKretprobe, "CONFIG_KRETPROBES", true},
	}
	checks := make([]Check, 0, len(list)+1)
	for _, f := range list {
		c := Check{Name: f.name, State: OK, Value: f.function + " is there"}
		_, there := m.Functions[f.function]
		switch {
		case m.FunctionsErr != nil:
			c.State, c.Value = Unknown, m.FunctionsErr.Error()
		case !there && f.fallback:
			c.State, c.Value = Note, "not in this kernel ("+f.config+"); not needed where fentry can be used and the kernel does not preempt"
		case !there:
			c.State, c.Value, c.Remedy = Missing, "no "+f.function, "a kernel built with "+f.config+"=y has it"
		}
		checks = append(checks, c)
	}
	tracefs := Check{Name: "tracefs", State: OK, Value: "mounted"}
	if !m.TraceFS {
		tracefs.State = Note
		tracefs.Value = "its kprobe_events cannot be read: kretprobes have room for few calls at once; fentry does not need it"
	}
	if len(m.Leftovers) > 0 {
		tracefs.State = Note
		tracefs.Value = "mounted; left there by a killed recorder: " + strings.Join(m.Leftovers, ", ") + "; the next recording removes it"
	}
	return append(checks, tracefs)
}

// preemptionCheck reports the kind of preemption, which decides the way of attaching that is tried first.
func preemptionCheck(p bpf.Preemption) Check {
	c := Check{Name: "preemption", State: Note, Value: string(p) + ": fentry comes first, it costs least"}
	if p.Interrupts() {
		c.Value = string(p) + ": fentry programs may be preempted and miss hits, so kprobe.multi comes first"
	}
	return c
}

const hashTableName = "hash table"

// hashTableCheck reports whether buckets can be recomputed.
func hashTableCheck(known bool, h host) Check {
	if known {
		return Check{Name: hashTableName, State: OK, Value: "dentry_hashtable and d_hash_shift are known"}
	}
	remedy := h.pointerCheck().Remedy
	if remedy == "" {
		remedy = "sysctl kernel.kptr_restrict=1, and run it as root or with CAP_SYSLOG"
	}
	return Check{hashTableName, Missing, "kallsyms does not tell where dentry_hashtable and d_hash_shift are: no bucket claims", remedy}
}
