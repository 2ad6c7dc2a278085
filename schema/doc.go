// SPDX-License-Identifier: Apache-2.0

// Package schema defines the trace file: the events, the packets that hold them, a Writer and a Reader.
// FORMAT.md beside it is the normative description.
package schema

//go:generate sh -c "protoc --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --go_out=. --go_opt=paths=source_relative trace.proto"

import _ "embed"

//go:embed FORMAT.md
var formatText string

// Format returns the text of FORMAT.md.
func Format() string { return formatText }
