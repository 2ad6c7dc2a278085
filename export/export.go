// SPDX-License-Identifier: Apache-2.0

package export

import (
	"io"

	"github.com/dtrec/dtrec/replay"
)

// Options choose what is exported; each format says which it looks at.
type Options struct {
	Table string // csv, ndjson: one of Tables; empty: calls
	Of    string // folded: what is counted, the name of a Measure; empty: calls
}

// Format is one way to write a trace.
type Format struct {
	Name, Doc string
	Binary    bool // nothing for a terminal
	// Write reads the source to its end. The error is that of the source or of the writing, or
	// a *VoidError.
	Write func(w io.Writer, src replay.Source, o Options) error
}

// Formats lists every format, by name.
func Formats() []Format {
	return []Format{
		{"csv", "a table with a line of headings, as RFC 4180 has it", false, writeCSV},
		{"folded", "stacks for a flame graph, program;directory;…;name COUNT", false, writeFolded},
		{"ndjson", "a table, a JSON object a line", false, writeNDJSON},
		{"perfetto", "a timeline for ui.perfetto.dev: calls by thread, dentries as flows", true, writePerfetto},
		{"pprof", "a profile for go tool pprof: program and path as the stack", true, writePprof},
	}
}
