// SPDX-License-Identifier: Apache-2.0

// Package page checks a Markdown page against the trace of a run.
//
// A page that names this run is a report of it: every line must occur in the report that the trace gives now, in
// the same order. Of any other page only numbers are checked: an address must have been recorded, at the probe
// and in the event that the page names; a hash must have been recorded with its length; subtractions, equalities
// and lengths are computed again in 64 bits. Arithmetic with an address that cannot be computed is "not
// understood", which counts as not confirmed. Sentences are not judged.
//
// Parse reads the page, Look and Record go over the trace once and keep what the page mentions, and Hold
// compares the two.
package page
