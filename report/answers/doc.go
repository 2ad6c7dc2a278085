// SPDX-License-Identifier: Apache-2.0

// Package answers says what happened to paths, from the model of replay: a summary of a
// trace, what there is most of, and what is known of one thing. Each answer is a value that
// is made in one pass and then printed; its memory does not grow with the trace.
package answers
