// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// Preemption says when this kernel preempts a task that runs inside the kernel.
type Preemption string

// The kinds of preemption. Where it is dynamic, "preempt=" on the kernel's command line chooses the kind.
const (
	PreemptUnknown   Preemption = "not known"
	PreemptNone      Preemption = "none"
	PreemptVoluntary Preemption = "voluntary"
	PreemptFull      Preemption = "full"
	PreemptLazy      Preemption = "lazy"
	PreemptBuiltOff  Preemption = "none or voluntary"
	PreemptBuiltOn   Preemption = "full or lazy"
)

// Interrupts reports whether a BPF program may be preempted. If the kind is not known, it may.
func (p Preemption) Interrupts() bool {
	return p != PreemptNone && p != PreemptVoluntary && p != PreemptBuiltOff
}

// preemption takes the kind from the variable preempt_dynamic_mode if that could be read, otherwise from the
// words that the kernel's build puts into its version.
func preemption(version string, mode int32, read bool) Preemption {
	modes := []Preemption{PreemptNone, PreemptVoluntary, PreemptFull, PreemptLazy}
	words := strings.Fields(version)
	switch {
	case read && mode >= 0 && int(mode) < len(modes):
		return modes[mode]
	case read, slices.Contains(words, "PREEMPT_DYNAMIC"):
		return PreemptUnknown
	case slices.Contains(words, "PREEMPT"), slices.Contains(words, "PREEMPT_RT"):
		return PreemptBuiltOn
	}
	return PreemptBuiltOff
}

// Kernel returns what uname(2), which cannot fail, says about the running kernel.
func Kernel() *schema.Kernel {
	var u unix.Utsname
	_ = unix.Uname(&u)
	return &schema.Kernel{
		Release: unix.ByteSliceToString(u.Release[:]),
		Version: unix.ByteSliceToString(u.Version[:]),
		Machine: unix.ByteSliceToString(u.Machine[:]),
	}
}
