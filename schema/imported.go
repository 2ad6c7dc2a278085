// SPDX-License-Identifier: Apache-2.0

package schema

import "slices"

// Unknown is the kernel release and machine of an imported trace whose text does not
// name them.
const Unknown = "unknown"

// Imported reports whether the trace was made from a text (FORMAT.md, section 13), which
// does not say when the recording began, how the kernel lays a dentry out, or what it lacks.
func (h *Header) Imported() bool { return h.has(Attach_ATTACH_DMESG) || h.has(Attach_ATTACH_TEXT) }

// Logged reports whether the trace was made from a kernel log: nothing in it tells where a
// dentry lies, and mostly nothing one thread from another.
func (h *Header) Logged() bool { return h.has(Attach_ATTACH_DMESG) }

func (h *Header) has(a Attach) bool {
	return slices.ContainsFunc(h.GetProbe(), func(p *Probe) bool { return p.Attach == a })
}

// Redacted reports whether dtrec redact made the trace: names are tokens, addresses lie
// elsewhere, and there are no hashes and no buckets.
func (h *Header) Redacted() bool { return h.GetLayout().GetNameHash() == NameHash_NAME_HASH_REDACTED }
