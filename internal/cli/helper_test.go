// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// output runs dtrec in this process and returns its stdout; its exit code must be 0.
func output(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := Run(args, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("dtrec %s: exit %d\n%s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.String()
}

func samples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("traces/*.pb")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sample traces: %v", err)
	}
	return files
}

func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return 1<<64 - 1
	}
	return n
}
