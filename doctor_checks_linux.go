// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/record"
)

// machineChecks turns what was seen of the machine into lines of a diagnosis.
func machineChecks(m bpf.Machine) []doctorCheck {
	return append([]doctorCheck{btfCheck(m), capabilityCheck(m), lockdownCheck(m), memlockCheck(m), unprivilegedCheck(m), jitCheck(m)},
		functionChecks(m)...)
}

func btfCheck(m bpf.Machine) doctorCheck {
	if m.BTF != nil {
		return doctorCheck{"BTF", stateMissing, m.BTF.Error(), lackHint(bpf.LackBTF)}
	}
	return doctorCheck{Name: "BTF", State: stateOK, Value: "the kernel describes its types"}
}

func capabilityCheck(m bpf.Machine) doctorCheck {
	c := doctorCheck{Name: "capabilities", State: stateOK, Value: "effective: " + strings.Join(m.Capabilities, ", ")}
	switch {
	case m.CapabilitiesErr != nil:
		c.State, c.Value = stateUnknown, m.CapabilitiesErr.Error()
	case m.Lacking != "":
		c.State, c.Value, c.Remedy = stateMissing, "no "+m.Lacking, lackHint(bpf.LackPrivilege)
	}
	return c
}

// lockdownCheck: only confidentiality forbids reading kernel memory and kprobes
// (LOCKDOWN_BPF_READ_KERNEL, LOCKDOWN_KPROBES in include/linux/security.h).
func lockdownCheck(m bpf.Machine) doctorCheck {
	c := doctorCheck{Name: "lockdown", State: stateOK, Value: m.Lockdown}
	switch m.Lockdown {
	case "none", "integrity":
	case "":
		c.State, c.Value = stateUnknown, "no lockdown file: securityfs is not mounted, or the kernel has no lockdown"
	default:
		c.State, c.Remedy = stateMissing, lackHint(bpf.LackLockdown)
	}
	return c
}

func memlockCheck(m bpf.Machine) doctorCheck {
	c := doctorCheck{Name: "memlock", State: stateNote, Value: "unlimited"}
	if m.Memlock != bpf.MemlockUnlimited {
		c.Value = record.Size(int64(m.Memlock)) + "; counts until 5.10, and record raises it if it may"
	}
	return c
}

func unprivilegedCheck(m bpf.Machine) doctorCheck {
	c := doctorCheck{Name: "unprivileged BPF", State: stateNote, Value: "kernel.unprivileged_bpf_disabled=" + m.UnprivilegedBPF}
	switch m.UnprivilegedBPF {
	case "":
		c.State, c.Value = stateUnknown, "no kernel.unprivileged_bpf_disabled"
	case "0":
		c.Value += " (others may load BPF, but not for tracing)"
	default:
		c.Value += " (nothing to recording, which has capabilities)"
	}
	return c
}

func jitCheck(m bpf.Machine) doctorCheck {
	c := doctorCheck{Name: "BPF JIT", State: stateOK, Value: "net.core.bpf_jit_enable=" + m.JIT}
	switch m.JIT {
	case "":
		c.State, c.Value = stateUnknown, "no net.core.bpf_jit_enable to be read"
	case "0":
		c.State, c.Remedy = stateMissing, "sysctl net.core.bpf_jit_enable=1; without it there is no fentry"
	}
	return c
}

// functionChecks tell what of tracing was built into the kernel.
func functionChecks(m bpf.Machine) []doctorCheck {
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
	checks := make([]doctorCheck, 0, len(list)+1)
	for _, f := range list {
		c := doctorCheck{Name: f.name, State: stateOK, Value: f.function + " is there"}
		switch {
		case m.FunctionsErr != nil:
			c.State, c.Value = stateUnknown, m.FunctionsErr.Error()
		case !m.Functions[f.function] && f.fallback:
			c.State, c.Value = stateNote, "not in this kernel ("+f.config+"); fentry comes before it, but where the kernel preempts"
		case !m.Functions[f.function]:
			c.State, c.Value, c.Remedy = stateMissing, "no "+f.function, "a kernel built with "+f.config+"=y has it"
		}
		checks = append(checks, c)
	}
	tracefs := doctorCheck{Name: "tracefs", State: stateOK, Value: "mounted"}
	if !m.TraceFS {
		tracefs.State = stateNote
		tracefs.Value = "not mounted, or not to be read: kretprobes have room for few calls at once; fentry does not need it"
	}
	if len(m.Leftovers) > 0 {
		tracefs.State = stateNote
		tracefs.Value = "mounted; left there by a killed recorder: " + strings.Join(m.Leftovers, ", ") + "; the next recording removes it"
	}
	return append(checks, tracefs)
}

// preemptionCheck says what decides which way of attaching is tried first.
func preemptionCheck(p bpf.Preemption) doctorCheck {
	c := doctorCheck{Name: "preemption", State: stateNote, Value: string(p) + ": fentry comes first, it costs least"}
	if p.Interrupts() {
		c.Value = string(p) + ": fentry programs may be preempted and miss hits, so kprobe.multi comes first"
	}
	return c
}

const hashTableName = "hash table"

// hashTableCheck says whether buckets can be recomputed.
func hashTableCheck(known bool) doctorCheck {
	if known {
		return doctorCheck{Name: hashTableName, State: stateOK, Value: "dentry_hashtable and d_hash_shift are known"}
	}
	return doctorCheck{hashTableName, stateMissing, "kallsyms does not tell where dentry_hashtable and d_hash_shift are: no bucket claims",
		"sysctl kernel.kptr_restrict=1, and run it as root or with CAP_SYSLOG"}
}
