// SPDX-License-Identifier: Apache-2.0

package schema

// Phases returns the phases of which the probe gives events: of a call as a whole its entry
// and its exit.
func (p *Probe) Phases() []Phase {
	if p.Phase == Whole {
		return []Phase{Enter, Exit}
	}
	return []Phase{p.Phase}
}
