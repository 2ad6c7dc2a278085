// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// sceneReport decodes the report of a scene into result, and returns the directory of the traces that it made.
func sceneReport(t *testing.T, release, name string, result any) (dir string) {
	t.Helper()
	o := recorded(t, release, name)
	if err := json.Unmarshal([]byte(o.Stdout), result); err != nil {
		t.Fatalf("scene %s: %v in %q", name, err, o.Stdout)
	}
	if to := os.Getenv("DTREC_KEEP"); to != "" {
		if err := os.CopyFS(filepath.Join(to, name), os.DirFS(o.trace)); err != nil {
			t.Log(err)
		}
	}
	return o.trace
}

// lifeEvent is an event of 'replay --format json', with the fields that the tests of scenes use.
type lifeEvent struct {
	Type, Comm, Role, Phase, Name string
	ID                            uint64
	TimeNs                        uint64 `json:"time_ns"`
	PID                           int
	TID                           int
	Child                         int // pid of the child, in a fork
	Dentry, Object, Target        string
	Ret                           any
	Inode, FS, Dev                string
	EnteredNs                     uint64 `json:"entered_ns"`
	Stray                         bool
	Facts                         []string

	Cause string // in a loss
	Count uint64
	Last  uint64 `json:"last_ns"`

	Probe []struct {
		Role, Phase, Attach string
		Uncounted, Attached bool
	} // in the header
}

// readerOf opens a trace, which is closed at the end of the test.
func readerOf(t *testing.T, trace string) *schema.Reader {
	t.Helper()
	r := tracetest.Open(t, trace)
	return r
}

// lifeEvents returns the lines of a trace.
func lifeEvents(t *testing.T, trace string) []lifeEvent {
	t.Helper()
	var out []lifeEvent
	for _, line := range replayLines(t, trace) {
		var e lifeEvent
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// checkNothingLost checks that a trace has lost nothing. Otherwise it logs which hits were lost, of what and when.
func checkNothingLost(t *testing.T, v report.Verdicts, trace string) {
	t.Helper()
	if v.Lost == 0 && v.Complete {
		return
	}
	t.Errorf("%s: %d of %d events lost, complete %v", filepath.Base(trace), v.Lost, v.Events, v.Complete)
	for _, line := range replayLines(t, trace) {
		if strings.HasPrefix(string(line), `{"type":"loss"`) || strings.HasPrefix(string(line), `{"type":"footer"`) {
			t.Logf("%s", line)
		}
	}
}
