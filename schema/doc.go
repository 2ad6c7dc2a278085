// SPDX-License-Identifier: Apache-2.0

// Package schema is the trace file: the events, the packets they travel in, a
// Writer and a Reader. FORMAT.md beside it is the normative description.
package schema

//go:generate protoc --go_out=. --go_opt=paths=source_relative trace.proto
