// SPDX-License-Identifier: Apache-2.0

package schema

// Unknown is the kernel release and machine of an imported trace whose log does not
// name them.
const Unknown = "unknown"

// Imported reports whether the trace was made from a kernel log (FORMAT.md, section
// 13): nothing in it tells one thread from another, or where a dentry lies.
func (h *Header) Imported() bool {
	for _, p := range h.GetProbe() {
		if p.Attach == Attach_ATTACH_DMESG {
			return true
		}
	}
	return false
}
