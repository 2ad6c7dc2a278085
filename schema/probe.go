// SPDX-License-Identifier: Apache-2.0

package schema

// Phases returns the phases of the probe's events: for PHASE_CALL both the entry and the exit.
func (p *Probe) Phases() []Phase {
	if p.Phase == Whole {
		return []Phase{Enter, Exit}
	}
	return []Phase{p.Phase}
}
