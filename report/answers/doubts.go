// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// logHasNoCalls says why nothing is known of the calls in a kernel log.
const logHasNoCalls = "a kernel log has lines, not calls"

// gaps notes the records that say that a trace does not hold all that happened.
type gaps struct {
	footer    *schema.Footer // nil: the trace is cut
	damaged   bool
	lost      bool // events were
	unwatched bool // the watch set was full: events of dentries may have left no record
}

// see takes a record that is not an event.
func (g *gaps) see(rec schema.Record) {
	switch rec := rec.(type) {
	case *schema.Footer:
		g.footer = rec
	case *schema.Damage:
		g.damaged = g.damaged || !rec.Behind
	case *schema.Loss:
		switch rec.Cause {
		case schema.LossUnreadableName:
		case schema.LossUnwatched:
			g.unwatched = true
		default:
			g.lost = true
		}
	}
}

// noting is a source that notes the gaps of another.
type noting struct {
	replay.Source
	gaps
}

func (n *noting) Next() (schema.Record, error) {
	rec, err := n.Source.Next()
	if _, is := rec.(*schema.Event); !is && err == nil {
		n.see(rec)
	}
	return rec, err
}

// complete reports whether all that was recorded could be read.
func (g *gaps) complete() bool { return g.footer != nil && !g.damaged }

// doubts returns why a count of what the events of some roles show may not be a count of what happened; nil:
// nothing says so. ofDentries is for a count that needs the events of dentries by all tasks.
func (g *gaps) doubts(h *schema.Header, needs replay.Roles, ofDentries bool) (why []string) {
	if !g.complete() {
		why = append(why, "the trace is cut or damaged")
	}
	if g.lost {
		why = append(why, "events were lost")
	}
	if g.unwatched && ofDentries {
		why = append(why, "the watch set was full")
	}
	return append(why, unrecorded(h, needs)...)
}

// unrecorded returns why events of the roles may have left no record, whatever the kernel did; nil: none did.
func unrecorded(h *schema.Header, needs replay.Roles) (why []string) {
	missing, vague := replay.MissingRoles(h, needs)
	switch {
	case h.Logged():
		return []string{report.FromLog.Text}
	case h.Imported():
		return []string{report.FromText.Text}
	}
	if missing != 0 {
		why = append(why, fmt.Sprintf(report.NotAttached.Text, missing))
	}
	if vague != 0 {
		why = append(why, fmt.Sprintf(report.NotCounted.Text, vague))
	}
	return why
}
