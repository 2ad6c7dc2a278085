// SPDX-License-Identifier: Apache-2.0

package schema

// Endless reports whether the window of such a loss has no end, whatever its last_ns says:
// any later event may be missing. So may they for a cause that is not known here.
func (c LossCause) Endless() bool {
	switch c {
	case LossRingBuffer, LossMissed, LossUnreadableName, LossUnwatched, LossRebuilt, LossSwitchedOff:
		return false
	}
	return true
}
