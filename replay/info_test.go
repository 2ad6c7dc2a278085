// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// An exit code is that of what was recorded, where it had one.
func TestInfoSaysExitCodes(t *testing.T) {
	program := []*schema.Program{{Name: "cat"}}
	for _, test := range []struct {
		footer   *schema.Footer
		programs []*schema.Program
		want     string
	}{
		{&schema.Footer{EndedBy: "command"}, program, "by command, exit code 0\n"},
		{&schema.Footer{EndedBy: "limit", ExitCode: 3}, program, "by limit, exit code 3\n"},
		{&schema.Footer{EndedBy: "command not started", ExitCode: 127}, nil, "by command not started, exit code 127\n"},
		{&schema.Footer{EndedBy: "duration"}, nil, "by duration\n"},
		{&schema.Footer{EndedBy: "interrupt"}, nil, "by interrupt\n"},
		{&schema.Footer{EndedBy: "rotation"}, program, "by rotation\n"},
	} {
		i := &Info{Header: &schema.Header{}, Footer: test.footer, Programs: test.programs}
		var out strings.Builder
		if err := i.WriteText(&out, "run.pb"); err != nil || !strings.Contains(out.String(), test.want) {
			t.Errorf("no %q in\n%s%v", test.want, out.String(), err)
		}
	}
}
