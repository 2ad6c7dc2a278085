// SPDX-License-Identifier: Apache-2.0

// Package report turns the events of a trace into claims with verdicts, and the claims into pages. Judge
// makes the one pass over the trace; a renderer takes the finished Findings and cannot read a trace.
//
// Each kind of claim is one file, such as hardlink.go or race.go. In it a value of type kind holds
// everything about the kind and adds itself to the table: when a claim is made, its operands, the tests
// that speak against it in the order in which they are tried, and how it is printed. view.judge is the
// engine, doubts.go has the operands and tests that several kinds share, claim.go the reasons. The tables
// of the documents, the costs that dtrec doctor names and the list of claims that fall without a role are
// generated from the kinds.
package report
