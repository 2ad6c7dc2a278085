// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"strings"
	"testing"
)

// replayLines returns the lines of 'dtrec replay --format json'. A call that is recorded as one event
// becomes two lines: its entry, and its exit with what it returned.
func replayLines(t *testing.T, trace string) (lines []json.RawMessage) {
	t.Helper()
	for line := range strings.Lines(output(t, "replay", "--format", "json", trace)) {
		if !strings.Contains(line, `"phase":"call"`) || !strings.HasPrefix(line, `{"type":"event"`) {
			lines = append(lines, json.RawMessage(line))
			continue
		}
		var call map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &call); err != nil {
			t.Fatal(err)
		}
		exit := make(map[string]json.RawMessage)
		if err := json.Unmarshal(call["returned"], &exit); err != nil {
			t.Fatal(err, line)
		}
		for _, name := range []string{"type", "id", "time_ns", "cpu", "pid", "tid", "comm", "comm_hex", "role", "symbol", "depth", "open", "exec"} {
			if v, ok := call[name]; ok {
				exit[name] = v
			}
		}
		delete(call, "returned")
		call["phase"], exit["phase"], exit["call"] = json.RawMessage(`"enter"`), json.RawMessage(`"exit"`), call["id"]
		for _, half := range []map[string]json.RawMessage{call, exit} {
			b, err := json.Marshal(half)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, b)
		}
	}
	return lines
}
