// SPDX-License-Identifier: Apache-2.0

package schema

import "slices"

// UnknownKernel is the kernel release and machine of an imported trace whose text does not name them.
const UnknownKernel = "unknown"

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
