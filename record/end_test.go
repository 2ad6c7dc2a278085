// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"path/filepath"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// newOneFile is newRotating for a recording that is one file.
func newOneFile(t *testing.T, c Config) *rotating {
	t.Helper()
	r := newRotating(t, c)
	r.writer.rotation.next = nil
	r.parts.header = nil
	return r
}

// What a limit left out is by the limit, even if the command ended before the writer came to it.
func TestLimitAfterTheCommand(t *testing.T) {
	for most, want := range map[uint64]string{2: "limit", 3: "command"} {
		r := newOneFile(t, Config{Output: filepath.Join(t.TempDir(), "run.pb"), MaxEvents: most})
		r.recordEvents(1001, 1002, 1003)
		r.writer.writeRest()
		footer := &schema.Footer{EndNs: 1 << 40, EndedBy: "command"}
		if err := r.finish(footer); err != nil || footer.EndedBy != want {
			t.Errorf("at most %d: ended by %s, %v, want %s", most, footer.EndedBy, err, want)
		}
	}
}
