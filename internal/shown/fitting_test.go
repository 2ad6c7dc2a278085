// SPDX-License-Identifier: Apache-2.0

package shown

import (
	"strings"
	"testing"
)

func TestFitting(t *testing.T) {
	long := strings.Repeat("/", 4090) + "tmp/é"
	for _, tt := range []struct {
		text  string
		width int
		want  string
	}{{"", 3, ""}, {"abc", 3, "abc"}, {"abcdefg", 6, "a…defg"}, {"éééééé", 6, "éééééé"}, {long, 12, "///…///tmp/é"}} {
		if got := Fitting(tt.text, tt.width); got != tt.want {
			t.Errorf("%.20q in %d: %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}
