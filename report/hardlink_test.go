// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/schema/tracetest"
)

// In this recording of 6.16 some files have names and some dentries are none: files made with O_TMPFILE and
// then linked, opened by a handle, or renamed over and held open. The only two names of one inode are those
// that link(2) made of "b" and "z", after "b" was renamed to "y".
func TestOnlyNamesAreHardLinks(t *testing.T) {
	r := tracetest.Open(t, "../test/cases/nameless.pb")
	var got []string
	if _, err := Judge(r, Options{Each: func(cl *Claim) {
		if cl.Kind == HardLink {
			got = append(got, fmt.Sprintf("%s %s #%d", cl.Verdict, cl.Subject, cl.Terms[1].Event))
		}
	}}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"proven /tmp/s30_hrover/z #1779", "proven /tmp/s30_hrover/y #1787"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
