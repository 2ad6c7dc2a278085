// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// TestLargeFileIsReadByItsIndex checks that a large file is read by its seek index, which the commands
// mention, and through a pipe from beginning to end.
func TestLargeFileIsReadByItsIndex(t *testing.T) {
	b, err := tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(250_000, emit) })
	if err != nil {
		t.Fatal(err)
	}
	if len(b) <= maxWholeRead {
		t.Fatalf("%d bytes, want more than are read whole", len(b))
	}
	path := filepath.Join(t.TempDir(), "large.pb")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(stdin []byte, args ...string) (string, string) {
		var stdout, stderr bytes.Buffer
		if code := Run(args, bytes.NewReader(stdin), &stdout, &stderr); code != 0 {
			t.Fatalf("dtrec %s: exit %d\n%s", strings.Join(args, " "), code, stderr.String())
		}
		return stdout.String(), stderr.String()
	}
	window := []string{"replay", "--from", "1.35", "--to", "1.351"}
	text, said := run(nil, append(window, path)...)
	if !strings.Contains(said, "were passed over by the seek index") || strings.Count(text, "\n") < 100 {
		t.Errorf("%d lines, and it says %q", strings.Count(text, "\n"), said)
	}
	whole, said := run(b, append(window, "-")...)
	if said != "" || strings.Count(whole, "\n") != strings.Count(text, "\n") {
		t.Errorf("through a pipe: %d lines, and it says %q", strings.Count(whole, "\n"), said)
	}
	if _, said := run(nil, "replay", "--path", "/usr/src/fs/file_none.h", path); !strings.Contains(said, "nearest: /usr/src/fs/file_") {
		t.Errorf("of a path that is nowhere it says %q", said)
	}
	if text, _ := run(nil, "info", path); !strings.Contains(text, "not cut; its events were not read") {
		t.Errorf("info does not say that it read the index alone:\n%s", text)
	}
	if text, _ := run(b, "info", "-"); strings.Contains(text, "not looked at") {
		t.Errorf("info through a pipe speaks of the index:\n%s", text)
	}
	b[len(b)/2] ^= 1 // in a frame that is passed over
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if again, _ := run(nil, append(window, path)...); again != text {
		t.Error("damage elsewhere changes what is shown")
	}
}
