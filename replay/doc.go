// SPDX-License-Identifier: Apache-2.0

// Package replay reads the events of a trace in order and keeps what they add up
// to: which call encloses which on every thread, which dentry an address is at
// that moment, and where events are missing. Its memory is bounded by what is live
// in the recording, not by the recording's length.
package replay
