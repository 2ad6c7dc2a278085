// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Bounds in bytes on what one pass keeps, beside those in numbers (findings.go) and those
// on the state (replay): whatever a file holds, a report of it has a size.
const (
	keptBudget  = 16 << 20 // events and claims in the findings
	stepsBudget = 8 << 20  // events of opens in progress

	stepBytes  = 384 // about what an event takes, without its name
	claimBytes = 512
	termBytes  = 64
	nameCost   = 4 // times that a name is printed, and more
	keyBytes   = 192

	lookEvery = 4096 // events from one count of those in progress to the next
	maxSpare  = 64   // finished walks kept for use again
)

// budgets is what is left of them.
type budgets struct {
	kept      int
	stepsFull bool // the opens in progress have too many events: no more are looked at
	added     int  // events since they were counted
}

func newBudgets() budgets { return budgets{kept: keptBudget} }

// take takes bytes off what may be kept; false: there is no more room.
func (b *budgets) take(bytes int) bool {
	if b.kept < bytes {
		return false
	}
	b.kept -= bytes
	return true
}

// roomForItem reports whether another call may be kept, with its first event at least.
func (b *budgets) roomForItem() bool { return b.kept >= stepBytes+nameCost*schema.MaxStringBytes }

// roomForSteps reports whether one more event of an open in progress may be looked at.
func (c *collector) roomForSteps() bool {
	if c.added++; c.added >= lookEvery {
		c.countSteps()
	}
	return !c.stepsFull
}

// countSteps counts the events of opens in progress.
func (c *collector) countSteps() {
	bytes := 0
	c.state.InProgress(func(call *replay.Call) {
		for w := c.within[call.Tag]; w != nil; w = w.then {
			bytes += stepBytes * cap(w.steps)
			for i := range w.steps {
				bytes += len(w.steps[i].ev.Name)
			}
		}
	})
	c.added, c.stepsFull = 0, bytes > stepsBudget
}
