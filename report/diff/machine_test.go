// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"os"
	"testing"
)

// One release built for two architectures: all workloads, recorded on both, do the same. The testdata was made by
// dtrec vm --kernel $(scripts/fetch-kernel 6.12/amd64) -- record --workload all, and with 6.12/cloud-arm64.
func TestMachines(t *testing.T) {
	var files [2][]byte
	for i, name := range []string{"testdata/amd64.pb", "testdata/arm64.pb"} {
		var err error
		if files[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	r := compare(t, files[0], files[1])
	if len(r.Kernel) != 1 || r.Kernel[0].About != "machine" || r.Kernel[0].A != "x86_64" || r.Kernel[0].B != "aarch64" {
		t.Errorf("got %+v, want the machine alone", r.Kernel)
	}
	if len(r.Differences) > 0 || r.Same != 185 {
		t.Errorf("%d differences, %d calls the same", len(r.Differences), r.Same)
	}
}
