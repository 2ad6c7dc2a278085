// SPDX-License-Identifier: Apache-2.0

package schema

// Endless reports whether the window of such a loss has no end, whatever its last_ns says: any later event
// may be missing. It is true for a cause that this version does not know.
func (c LossCause) Endless() bool {
	switch c {
	case LossRingBuffer, LossMissed, LossUnreadableName, LossUnwatched, LossRebuilt, LossSwitchedOff:
		return false
	}
	return true
}
