// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"bytes"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// FileNames returns the files that match the patterns, in the order of the patterns. Each pattern must match a
// file.
func FileNames(t testing.TB, patterns ...string) (all []string) {
	t.Helper()
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, len(files), err)
		}
		all = append(all, files...)
	}
	return all
}

// Files yields the files that FileNames returns, with their contents.
func Files(t testing.TB, patterns ...string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, file := range FileNames(t, patterns...) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(file, content) {
				return
			}
		}
	}
}

// Open returns a reader of the trace in a file, closed when the test ends.
func Open(t testing.TB, file string) *schema.Reader {
	t.Helper()
	trace, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return Read(t, trace)
}

// Read returns a reader of a trace, closed when the test ends.
func Read(t testing.TB, trace []byte) *schema.Reader {
	t.Helper()
	r, err := schema.NewReader(bytes.NewReader(trace), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}
