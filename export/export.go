// SPDX-License-Identifier: Apache-2.0

package export

import (
	"io"
	"slices"
	"strings"

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

// formats are those that the files of this package add while the program starts.
var formats []Format

func register(f Format) bool {
	formats = append(formats, f)
	return true
}

// Formats lists every format, by name.
func Formats() []Format {
	return slices.SortedFunc(slices.Values(formats), func(a, b Format) int { return strings.Compare(a.Name, b.Name) })
}
