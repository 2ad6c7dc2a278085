// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema/tracetest"
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
	return tracetest.FileNames(t, "traces/*.pb")
}

func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return 1<<64 - 1
	}
	return n
}
