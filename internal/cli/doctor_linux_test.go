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

// Whatever this machine is, doctor ends with the exit code it names, and where it
// cannot record it says why and what to do.
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

// What doctor found goes to a file with -o too, and the exit code stays.
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
