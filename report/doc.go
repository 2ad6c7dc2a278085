// SPDX-License-Identifier: Apache-2.0

// Package report turns the events of a trace into claims with verdicts, and those
// into pages. Judge makes the one pass over the trace; a renderer takes the
// finished Findings and cannot read a trace.
//
// A kind of claim is one file, hardlink.go or race.go, in which a value of type kind
// says all there is to it and adds itself to the table: when a claim is made, its
// operands, what speaks against it in the order in which that is looked at, and how it is
// printed. view.judge is the engine, doubts.go has the operands and tests that several
// kinds share, claim.go the reasons. The tables of the documents, the costs that dtrec
// doctor names and what a claim falls without are made from the kinds.
package report
