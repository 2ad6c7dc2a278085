// SPDX-License-Identifier: Apache-2.0

package schema

import "testing"

func TestWaitStatus(t *testing.T) {
	for _, c := range []struct {
		status WaitStatus
		text   string
	}{
		{0, "exit code 0"}, {32512, "exit code 127"}, {256, "exit code 1"}, {255 << 8, "exit code 255"},
		{9, "killed by SIGKILL"}, {11 | 0x80, "killed by SIGSEGV, core dumped"}, {15, "killed by SIGTERM"}, {34, "killed by real-time signal 34"},
		{0x137f, "wait status 0x137f"}, {0xffff, "wait status 0xffff"}, {0x80, "wait status 0x80"}, {1 << 16, "wait status 0x10000"}, {0x109, "wait status 0x109"},
	} {
		if got := c.status.String(); got != c.text {
			t.Errorf("%#x is %s, not %s", uint64(c.status), got, c.text)
		}
	}
}
