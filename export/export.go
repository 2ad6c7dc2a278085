// SPDX-License-Identifier: Apache-2.0

package export

import (
	"io"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
)

// Options select what is exported. A format ignores the options of others.
type Options struct {
	Table   string // csv, ndjson: one of Tables; empty: calls
	Measure string // folded: the name of the Measure that is summed up; empty: calls
}

// Format is one output format.
type Format struct {
	Name, Doc string
	Binary    bool // not to be written to a terminal
	// Write reads the source to its end and writes the format. It returns the error of the source or of the
	// writer, or a *VoidError.
	Write func(w io.Writer, src replay.Source, o Options) error
}

// formats holds the formats that the files of this package register at initialisation.
var formats []Format

func register(f Format) bool {
	formats = append(formats, f)
	return true
}

// Formats returns all formats, sorted by name.
func Formats() []Format {
	return slices.SortedFunc(slices.Values(formats), func(a, b Format) int { return strings.Compare(a.Name, b.Name) })
}
