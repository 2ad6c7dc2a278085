// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Bounds in bytes on what one pass keeps, in addition to the bounds in numbers (findings.go) and those on
// the state (replay). They limit the memory a report takes, whatever the file holds.
const (
	keptBudget  = 16 << 20 // events and claims in the findings
	stepsBudget = 8 << 20  // events of opens that are in progress

	stepBytes  = 384 // approximate cost of an event, without its name
	claimBytes = 512
	termBytes  = 64
	nameCost   = 4 // factor for the length of a name, which is printed several times
	keyBytes   = 192

	lookEvery = 4096 // events between two counts of the events of opens in progress
	maxSpare  = 64   // finished walks kept for reuse
)

// take reserves bytes of what may be kept; it returns false if there is no room for them.
func (c *collector) take(bytes int) bool {
	if c.room < bytes {
		return false
	}
	c.room -= bytes
	return true
}

// roomForItem reports whether another call may be kept, with at least its first event.
func (c *collector) roomForItem() bool { return c.room >= stepBytes+nameCost*schema.MaxStringBytes }

// roomForSteps reports whether one more event of an open in progress may be looked at.
func (c *collector) roomForSteps() bool {
	if c.added++; c.added >= lookEvery {
		c.countSteps()
	}
	return !c.stepsFull
}

// countSteps adds up the bytes that the events of all opens in progress take.
func (c *collector) countSteps() {
	bytes := 0
	c.state.EachInProgress(func(call *replay.Call) {
		for w := c.within[call.Tag]; w != nil; w = w.then {
			bytes += stepBytes * cap(w.steps)
			for i := range w.steps {
				bytes += len(w.steps[i].ev.Name)
			}
		}
	})
	c.added, c.stepsFull = 0, bytes > stepsBudget
}
