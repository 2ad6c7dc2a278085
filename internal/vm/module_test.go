// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// The module beside the kernel image goes along for an overlay, and for nothing else.
func TestTakeModule(t *testing.T) {
	c := Config{Kernel: fakeKernel(t), FS: FSOverlay, Files: []File{{Host: "/x", Guest: "/y"}}}
	if got := c.takeModule(); got.modulePlace() != "" || len(got.Files) != 1 {
		t.Errorf("no module there, and it goes along: %+v", got.Files)
	}
	module := filepath.Join(filepath.Dir(c.Kernel), "overlay.ko.xz")
	if err := os.WriteFile(module, []byte("module"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := c.takeModule()
	if want := (File{Host: module, Guest: "/lib/modules/overlay.ko.xz"}); len(got.Files) != 2 || got.Files[1] != want {
		t.Errorf("got files %+v, want %+v last", got.Files, want)
	}
	if j, err := newJob(got); err != nil || j.Module != "/lib/modules/overlay.ko.xz" || j.FS != FSOverlay {
		t.Errorf("got job %+v, %v", j, err)
	}
	for _, fs := range []string{FSExt4, FSTmpfs} {
		c.FS = fs
		if got := c.takeModule(); len(got.Files) != 1 || got.module != "" {
			t.Errorf("%s: a module goes along", fs)
		}
	}
}

func TestRunWithoutOverlay(t *testing.T) {
	c := fakeQEMU(t, sayAlive+`echo '{"Error":"overlay","Lacks":true}' >&6`)
	c.FS = FSOverlay
	if _, err := Run(t.Context(), c); !errors.Is(err, ErrNoOverlay) || !errors.Is(err, ErrInit) {
		t.Errorf("got %v, want ErrNoOverlay in the guest", err)
	}
}
