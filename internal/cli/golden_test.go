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

// What replay, info and diff print of the committed traces is what it was: a hash each, so
// that what is rebuilt behind them can be seen to have changed nothing. DTREC_UPDATE=1
// writes them anew, and the commit says why.
func TestOutputsAreWhatTheyWere(t *testing.T) {
	var lines strings.Builder
	add := func(args ...string) {
		var out, errs strings.Builder
		code := Run(args, strings.NewReader(""), &out, &errs)
		fmt.Fprintf(&lines, "%x %d %s\n", sha256.Sum256([]byte(out.String()+errs.String())), code, strings.Join(args, " "))
	}
	files := append(samples(t), "test/format1/run1.pb")
	for _, f := range append(slices.Clip(files), tracetest.Names(t, "test/cases/*.pb", "test/format1/git.pb")...) {
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
