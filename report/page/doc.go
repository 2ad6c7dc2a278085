// SPDX-License-Identifier: Apache-2.0

// Package page holds a Markdown page against the trace of a run.
//
// A page that names this run is a report of it: every line must stand in the report that
// the trace gives now, in that order. Of any other page only numbers are held: an address
// must have been recorded, at the probe and in the event the page names; a hash with its
// length; a subtraction, an equality and a length are computed again in 64 bits. What stands
// beside an address and cannot be computed is "not understood", and counts as not held.
// Sentences are not judged. Parse reads the page, Look and Record go over the trace once and
// keep what the page is about, Hold compares.
package page
