// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/doctor"
)

// TestDoctorHere checks on any machine that doctor exits with the code in its output, and that it gives
// a reason and a remedy if the machine cannot record.
func TestDoctorHere(t *testing.T) {
	var stdout, stderr strings.Builder
	code := Run([]string{"doctor", "--format", "json"}, strings.NewReader(""), &stdout, &stderr)
	var d doctor.Diagnosis
	if err := json.Unmarshal([]byte(stdout.String()), &d); err != nil {
		t.Fatalf("%v in %s", err, stdout.String())
	}
	if code != d.Exit || stderr.String() != "" || d.Kernel == "" || len(d.Checks) == 0 {
		t.Errorf("exit %d, said %+v, stderr %q", code, d, stderr.String())
	}
	if code == exitTrouble && (d.Reason == "" || d.Remedy == "") {
		t.Errorf("cannot record, reason %q, remedy %q", d.Reason, d.Remedy)
	}
	t.Logf("exit %d: %s", code, d.Reason)
}

// TestDoctorWritesAFile checks that -o writes the diagnosis to a file and does not change the exit
// code.
func TestDoctorWritesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doctor.json")
	var stdout, stderr strings.Builder
	code := Run([]string{"doctor", "--format", "json", "-o", path}, strings.NewReader(""), &stdout, &stderr)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; stderr %q", err, stderr.String())
	}
	var d doctor.Diagnosis
	if err := json.Unmarshal(text, &d); err != nil || code != d.Exit || stdout.String() != "" {
		t.Errorf("exit %d, stdout %q, %v in %s", code, stdout.String(), err, text)
	}
}
