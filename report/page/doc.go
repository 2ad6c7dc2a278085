// SPDX-License-Identifier: Apache-2.0

// Package page checks a Markdown page against the trace of a run.
//
// A page that names this run is a report of it: every line must occur in the report that the trace gives now, in
// the same order. Of any other page only numbers are checked: an address must have been recorded, at the probe,
// in the event and of the dentry that the page names; a hash must have been recorded with the name and the
// length that the page gives, in the event that it names; subtractions, equalities
// and lengths are computed again in 64 bits. Arithmetic with an address that cannot be computed is "not
// understood", which counts as not confirmed. Sentences are not judged.
//
// Parse reads the page, Look and Record go over the trace once and keep what the page mentions, and Hold
// compares the two.
package page
