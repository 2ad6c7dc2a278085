// SPDX-License-Identifier: Apache-2.0

// Package page holds a Markdown page about a run against the trace of one: every
// address, hash, offset, subtraction, equality and tree line is looked up in the
// events or computed again.
//
// A value that a page calls something ("__d_alloc entry", "copy source") must have
// been that in an event, one with the name or the id that the page gives. What is
// computed is read from the page's passages, text without markup, and computed again in
// 64 bits; what is said of an address and not understood counts as not held. Verdicts are
// compared with those of the run's own report. Parse reads the page, Look and Record go over the trace once and keep what the page is about, Hold
// compares.
package page
