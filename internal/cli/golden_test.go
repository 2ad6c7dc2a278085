// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/golden"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// TestOutputsAreWhatTheyWere compares what replay, info and diff print for the committed traces with
// recorded hashes, which shows that a change of the code behind them did not alter their output.
// DTREC_UPDATE=1 writes the hashes anew; the commit says why.
func TestOutputsAreWhatTheyWere(t *testing.T) {
	var lines strings.Builder
	add := func(args ...string) {
		var out, errs strings.Builder
		code := Run(args, strings.NewReader(""), &out, &errs)
		fmt.Fprintf(&lines, "%x %d %s\n", sha256.Sum256([]byte(out.String()+errs.String())), code, strings.Join(args, " "))
	}
	files := append(samples(t), "test/format1/run1.pb")
	for _, f := range append(slices.Clip(files), tracetest.FileNames(t, "test/cases/*.pb", "test/format1/git.pb")...) {
		for _, format := range []string{"text", "json", "dmesg"} {
			add("replay", "--format", format, f)
		}
		add("info", f)
		add("info", "--format", "json", f)
	}
	for i, a := range files {
		for _, b := range files[i:] {
			for _, format := range []string{"text", "json", "markdown"} {
				add("diff", "--format", format, a, b)
			}
		}
	}
	golden.Lines(t, "internal/cli/testdata/golden.txt", lines.String())
}
