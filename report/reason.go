// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strconv"
	"strings"
)

// Reason is why a claim is not proven. One that several kinds of claim have stands here,
// any other in the file of its kind. Two are the same if they are the same variable.
type Reason struct {
	Verdict Verdict // Unproven or Refuted
	Text    string  // as printed; %s stands for what it is about
	// Unseen: it lies in the recording alone, which lacks a probe, a count of missed
	// hits, events, or what was before it began.
	Unseen bool
}

// What the recording lacks. The first four come to every claim that loss can touch, the
// next three to every claim.
var (
	NotAttached = &Reason{Unproven, "probe not attached: %s", true}
	NotCounted  = &Reason{Unproven, "this kernel does not count missed hits: %s", true}
	FromLog     = &Reason{Unproven, "a kernel log tells no thread, and not what it lacks", true}
	FromText    = &Reason{Unproven, "the text of a trace buffer does not say which hits it lacks", true}
	EventsLost  = &Reason{Unproven, "events lost in the window: %s", true}

	LateLoss    = &Reason{Unproven, "a loss became known only after later events had been judged", true}
	OtherLosses = &Reason{Unproven, "the footer counts other events or losses than the file holds", false}
	DamagedFile = &Reason{Unproven, "the file is damaged, and no footer tells what it held", false}
)

// What is not known of a dentry, or of an open.
var (
	MissedEnd     = &Reason{Unproven, "its memory was given back or handed out again at #%s and no kill was recorded", false}
	Unwatched     = &Reason{Unproven, "the watch set had no room for it at #%s: its end may not have been seen", true}
	Forgotten     = &Reason{Unproven, "more dentries were known at once than are remembered: it was forgotten, or what was known of it", true}
	Contradicted  = &Reason{Unproven, "the events contradict each other: %s", false}
	MaybeKilled   = &Reason{Unproven, "whether dentry_kill at #%s ended it is not known", false}
	AfterItsEnd   = &Reason{Unproven, "it was killed at #%s, and this came after", false}
	CutName       = &Reason{Unproven, "the name could not be read whole", false}
	OtherName     = &Reason{Unproven, "the dentry has another name", false}
	TooManyEvents = &Reason{Unproven, "the open has more events than are looked at", false}
	TwoParents    = &Reason{Unproven, "a component was looked up under two dentries", false}
)

// About is what a reason is about: an event, a name or the like, or both.
type About struct {
	Event uint64 // 0: none
	Text  string // as printed: a name is escaped
}

// about is the reason as printed, and with no event where that is not the same in all
// that it is printed for.
func (r *Reason) about(a About, several bool) string {
	if r == nil {
		return ""
	}
	what := a.Text
	switch {
	case several && what == "":
		what = "…"
	case a.Event == 0 || several:
	case what == "":
		what = strconv.FormatUint(a.Event, 10)
	default:
		what = "at #" + strconv.FormatUint(a.Event, 10) + " " + what
	}
	return strings.Replace(r.Text, "%s", what, 1)
}

// verdict is what the reason makes of a claim; Proven for none.
func (r *Reason) verdict() Verdict {
	if r == nil {
		return Proven
	}
	return r.Verdict
}
