// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"os"
	"path/filepath"
	"testing"
)

// In the tree of a distribution /bin and /lib are links into /usr. Files that the guest has there already,
// above all dtrec, are still found under their old names, and a file is replaced by a link.
func TestUnstageLinksOverDirectories(t *testing.T) {
	staged, root := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(root, "bin/dtrec"): "dtrec", filepath.Join(root, "etc/mtab"): "old",
		filepath.Join(staged, "usr/bin/cat"): "cat", filepath.Join(staged, "etc/issue"): "issue",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"bin": "usr/bin", "lib": "usr/lib", "etc/mtab": "issue"} {
		if err := os.Symlink(target, filepath.Join(staged, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unstage(staged, root); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"bin/dtrec": "dtrec", "usr/bin/dtrec": "dtrec", "bin/cat": "cat", "etc/mtab": "issue"} {
		if text, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	for name, want := range map[string]string{"bin": "usr/bin", "lib": "usr/lib", "etc/mtab": "issue"} {
		if target, err := os.Readlink(filepath.Join(root, name)); err != nil || target != want {
			t.Errorf("%s leads to %q, %v", name, target, err)
		}
	}
}
