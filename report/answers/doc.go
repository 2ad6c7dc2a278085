// SPDX-License-Identifier: Apache-2.0

// Package answers reports what happened to paths in a trace, using the model of package replay: a summary,
// the keys with the largest counts or times (top), and everything known of one dentry, path, name, process
// or event (show). Each answer is a value that is computed in one pass over the trace and then printed; its
// memory is bounded however long the trace is.
package answers
