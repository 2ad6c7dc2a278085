// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"os"
	"strings"
	"testing"
)

// All workloads, recorded on one kernel release built for two architectures, do the same. The testdata was
// made with dtrec vm --kernel $(scripts/fetch-kernel 6.12/amd64) -- record --workload all, and with
// 6.12/cloud-arm64.
func TestMachines(t *testing.T) {
	var files [2][]byte
	for i, name := range []string{"testdata/amd64.pb", "testdata/arm64.pb"} {
		var err error
		if files[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	r := compare(t, files[0], files[1])
	if k := ofKernels(r); len(k) != 1 || !strings.HasPrefix(k[0], "-machine: x86_64\n+machine: aarch64 (") {
		t.Errorf("got %q, want the machine alone", k)
	}
	if len(r.Differences) > 1 || r.Same != 185 {
		t.Errorf("%d differences, %d calls the same", len(r.Differences), r.Same)
	}
}
