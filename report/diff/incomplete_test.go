// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

func itoa(n int) string { return strconv.Itoa(n) }

// rewritten copies a trace with another header, and only the events for which keep is true.
func rewritten(t *testing.T, file []byte, h *schema.Header, keep func(*schema.Event) bool) []byte {
	t.Helper()
	return copied(t, file, h, func(w *schema.Writer, e *schema.Event) error {
		if !keep(e) {
			return nil
		}
		return w.Append(e)
	}, &schema.Footer{EndedBy: "command"})
}

// copied copies a trace with another header; put writes each event. There is no footer if footer is nil.
func copied(t *testing.T, file []byte, h *schema.Header, put func(*schema.Writer, *schema.Event) error, footer *schema.Footer) []byte {
	t.Helper()
	src, closed := opened(t, "", file)
	defer closed()
	var buf bytes.Buffer
	w, err := schema.NewWriter(&buf, h)
	if err != nil {
		t.Fatal(err)
	}
	for {
		rec, err := src.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := rec.(*schema.Event); ok {
			if err := put(w, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if footer == nil {
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	} else if err := w.Close(footer); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// A run that was cut agrees as far as it goes, so the verdict is undecided.
func TestCut(t *testing.T) {
	a, whole := record(t, here(), 1, scene(standard)), record(t, there(), 2, scene(standard))
	for _, until := range []uint64{5, 40, 77, 120} {
		n := uint64(0)
		b := copied(t, whole, there().Header(), func(w *schema.Writer, e *schema.Event) error {
			if n++; n > until {
				return nil
			}
			return w.Append(e)
		}, nil)
		for _, pair := range [][2][]byte{{a, b}, {b, a}} {
			r := compare(t, pair[0], pair[1])
			if r.Verdict() != Undecided || len(r.Doubts) != 1 || !strings.Contains(r.Doubts[0], "is cut") {
				t.Errorf("until %d: %s\n%s", until, r.summary(), text(t, r))
			}
		}
	}
}

// A run that lost events cannot be called the same, and what it lacks there is not reported as a
// difference.
func TestLoss(t *testing.T) {
	a, whole := record(t, here(), 1, scene(standard)), record(t, there(), 2, scene(standard))
	total := 0
	rewritten(t, whole, there().Header(), func(*schema.Event) bool { total++; return true })
	for at := 3; at < total-4; at += 3 {
		n := 0
		var from uint64
		b := copied(t, whole, there().Header(), func(w *schema.Writer, e *schema.Event) error {
			switch n++; {
			case n == at:
				from = e.Time
				return w.Append(e)
			case n > at && n <= at+3:
				if n == at+1 {
					return w.Loss(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Count: 3, FirstNs: from, LastNs: from + 30000})
				}
				return nil
			}
			return w.Append(e)
		}, &schema.Footer{EndedBy: "command", Lost: 3})
		r := compare(t, a, b)
		if r.Verdict() != Undecided || r.Count() != 0 {
			t.Fatalf("3 events lost after #%d: %s\n%s", at, r.summary(), text(t, r))
		}
	}
}

// Comparing a file with itself gives the same verdict as another run, and a note that both are one run.
func TestSameFile(t *testing.T) {
	a := record(t, here(), 1, scene(standard))
	r := compare(t, a, a)
	if r.Verdict() != Same || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "of one run") {
		t.Errorf("%s\n%s", r.summary(), text(t, r))
	}
}

// If the runs have different programs, each program is reported once.
func TestOtherWorkload(t *testing.T) {
	a := record(t, here(), 1, scene(standard))
	b := record(t, there(), 2, scene("find open usr/src/a.h\nfind open usr/src/b.h\nxargs open usr/src/a.h"))
	r := compare(t, a, b)
	if r.Count() != 6 || len(r.Differences) != 6 {
		t.Fatalf("%s\n%s", r.summary(), text(t, r))
	}
	for _, d := range r.Differences {
		if d.Kind != ProgramOnly || len(d.Lines) != 1 {
			t.Errorf("%+v", d)
		}
	}
}

func TestNothing(t *testing.T) {
	empty := record(t, here(), 1, nil)
	if r := compare(t, empty, record(t, there(), 2, nil)); r.Verdict() != Same || len(r.Notes) != 1 {
		t.Errorf("%s\n%s", r.summary(), text(t, r))
	}
	if r := compare(t, empty, record(t, there(), 2, scene(standard))); r.Verdict() != Different || len(r.Differences) != 4 {
		t.Errorf("%s\n%s", r.summary(), text(t, r))
	}
}
