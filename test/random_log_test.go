// SPDX-License-Identifier: Apache-2.0

package test

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// operation is a line of the log of test/random, which documents the fields.
type operation struct {
	Call           string
	Worker, Thread int
	At             int
	Path, Path2    string
	Flags          int
	Mark           bool
	Seq            int
	PID, TID       uint32
	T0, T1         uint64
	Errno          int
	Ino            uint64
}

func (o *operation) String() string {
	return fmt.Sprintf("operation %d (%s %.60q %.60q at %d flags %#x by %d, errno %d)", o.Seq, o.Call, o.Path, o.Path2, o.At, o.Flags, o.TID, o.Errno)
}

// readLog returns the operations of a log in the order in which they began.
func readLog(r io.Reader) ([]operation, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	var ops []operation
	for d := json.NewDecoder(z); ; {
		var o operation
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		ops = append(ops, o)
	}
	slices.SortStableFunc(ops, func(a, b operation) int { return cmp.Compare(a.T0, b.T0) })
	return ops, nil
}

// truths holds what each thread did when.
type truths struct {
	all      []*truth
	byThread map[uint32][]*truth
}

// replayLog runs the model over the operations. Its error names the first operation that is not
// possible.
func replayLog(ops []operation) (*truths, error) {
	w, out := newWorld(), &truths{byThread: make(map[uint32][]*truth)}
	for i := range ops {
		t, err := w.apply(&ops[i])
		if err != nil {
			return nil, fmt.Errorf("%v: %w", &ops[i], err)
		}
		out.all = append(out.all, t)
		out.byThread[ops[i].TID] = append(out.byThread[ops[i].TID], t)
	}
	return out, nil
}

// at returns what the thread was doing at a time (ns since boot), or nil if nothing was logged.
func (ts *truths) at(tid uint32, time uint64) *truth {
	list := ts.byThread[tid]
	i, found := slices.BinarySearchFunc(list, time, func(t *truth, at uint64) int { return cmp.Compare(t.op.T0, at) })
	if !found {
		i--
	}
	if i < 0 || time > list[i].op.T1 {
		return nil
	}
	return list[i]
}

// mayEndDentries reports whether the operation can have ended dentries.
func (t *truth) mayEndDentries() bool {
	switch t.op.Call {
	case "drop", "unlink", "rmdir", "rename", "exchange":
		return true
	}
	return false
}

// anyDuring reports whether an operation that fits was in progress between two times.
func (ts *truths) anyDuring(first, last uint64, fits func(*truth) bool) bool {
	for _, t := range ts.all {
		if t.op.T0 <= last && first <= t.op.T1 && fits(t) {
			return true
		}
	}
	return false
}
