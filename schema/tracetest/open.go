// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"bytes"
	"os"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// Open reads the trace in a file, until the test ends.
func Open(t testing.TB, file string) *schema.Reader {
	t.Helper()
	trace, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return Read(t, trace)
}

// Read reads a trace, until the test ends.
func Read(t testing.TB, trace []byte) *schema.Reader {
	t.Helper()
	r, err := schema.NewReader(bytes.NewReader(trace), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}
