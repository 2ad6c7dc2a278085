// SPDX-License-Identifier: Apache-2.0

// Package replay reads the events of a trace in order and keeps what follows from them: the calls that
// enclose each event on its thread, the dentry that an address belongs to at that moment, and where events
// are missing. Its memory is bounded by what is live in the recording, not by the recording's length.
package replay
