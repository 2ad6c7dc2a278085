// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// sample returns a short recording of test/random that is kept in the tree, and its log.
func sample(t *testing.T) (*forged, []operation) {
	t.Helper()
	r := tracetest.Open(t, "test/random/run.pb")
	f := &forged{header: r.Header()}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := rec.(*schema.Event); ok {
			kept := e.Clone()
			rec = kept
			f.events = append(f.events, kept)
		}
		f.records = append(f.records, rec)
	}
	log, err := os.ReadFile("test/random/ops.gz")
	if err != nil {
		t.Fatal(err)
	}
	ops, err := readLog(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	return f, ops
}

// forged is a trace in memory that can be altered.
type forged struct {
	header  *schema.Header
	records []schema.Record
	events  []*schema.Event
	next    int
}

func (f *forged) Header() *schema.Header { return f.header }

func (f *forged) Next() (schema.Record, error) {
	if f.next == len(f.records) {
		return nil, io.EOF
	}
	f.next++
	return f.records[f.next-1], nil
}

func checkSample(t *testing.T, src replay.Source, ops []operation) *checker {
	t.Helper()
	did, err := replayLog(ops)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := checkClaims(src, did)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRandomSample checks the recording in the tree, without a virtual machine.
func TestRandomSample(t *testing.T) {
	f, ops := sample(t)
	did, err := replayLog(ops)
	if err != nil {
		t.Fatal(err)
	}
	c, findings, err := checkClaims(f, did)
	if err != nil {
		t.Fatal(err)
	}
	c.report(t, findings)
	for _, fault := range c.faults {
		t.Error(fault)
	}
	c.checkCoverage(t, findings)
}

// TestRandomModelRefusesNonsense checks that the model refuses a log of what cannot have happened.
func TestRandomModelRefusesNonsense(t *testing.T) {
	for _, o := range []operation{
		{Call: "unlink", Path: "/tmp/x"},
		{Call: "mkdir", Path: "/tmp"},
		{Call: "rename", Path: "/tmp/x", Path2: "/tmp/y"},
		{Call: "open", Path: "/tmp/x"},
		{Call: "open", Path: "/tmp", Errno: enoent},
	} {
		if _, err := replayLog([]operation{o}); err == nil {
			t.Errorf("%v is taken for possible", &o)
		}
	}
	ops := []operation{{Call: "open", Path: "/tmp/x", Flags: oCreat, Ino: 5}, {Call: "open", Path: "/tmp/x", Ino: 6}}
	if _, err := replayLog(ops); err == nil || !strings.Contains(err.Error(), "inode 6") {
		t.Errorf("another inode: %v", err)
	}
}
