// SPDX-License-Identifier: Apache-2.0

package schema

import "slices"

// UnknownKernel is the kernel release and machine of an imported trace whose text does not name them.
const UnknownKernel = "unknown"

// NotAskedFor is the error of a probe whose role the recording was told to leave out (record --only).
const NotAskedFor = "not tried: not among the roles asked for"

// Imported reports whether the trace was made from a text (FORMAT.md, section 13). A text does not say when
// the recording began, what the kernel's layout of a dentry is, or what is missing.
func (h *Header) Imported() bool { return h.has(Attach_ATTACH_DMESG) || h.has(Attach_ATTACH_TEXT) }

// Logged reports whether the trace was made from a kernel log. It does not have the addresses of dentries,
// and mostly does not tell threads apart.
func (h *Header) Logged() bool { return h.has(Attach_ATTACH_DMESG) }

func (h *Header) has(a Attach) bool {
	return slices.ContainsFunc(h.GetProbe(), func(p *Probe) bool { return p.Attach == a })
}

// Redacted reports whether dtrec redact made the trace: names are tokens, addresses have been moved, and
// there are no hashes and no buckets.
func (h *Header) Redacted() bool { return h.GetLayout().GetNameHash() == NameHash_NAME_HASH_REDACTED }

// Phases returns the phases of the probe's events: for PHASE_CALL both the entry and the exit.
func (p *Probe) Phases() []Phase {
	if p.Phase == Whole {
		return []Phase{Enter, Exit}
	}
	return []Phase{p.Phase}
}

// OpenFlags converts the flags of an open from the numbers of a machine, named as by uname -m, to those of
// most machines, x86-64 among them (include/uapi/asm-generic/fcntl.h).
func OpenFlags(machine string, flags uint32) uint32 {
	own := openFlags[machine]
	generic := flags
	for _, f := range own {
		generic &^= f.own
	}
	for _, f := range own {
		if flags&f.own != 0 {
			generic |= f.generic
		}
	}
	return generic
}

// openFlags lists the machines with numbers of their own, from arch/arm64/include/uapi/asm/fcntl.h:
// O_DIRECTORY (also part of O_TMPFILE), O_NOFOLLOW, O_DIRECT, O_LARGEFILE.
var openFlags = map[string][]struct{ own, generic uint32 }{
	"aarch64": {{0o40000, 0o200000}, {0o100000, 0o400000}, {0o200000, 0o40000}, {0o400000, 0o100000}},
}
