// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// labels names every probe, by role and phase.
type labels [schema.RoleEnd][schema.Exit + 1]probeName

// probeName is the name of a probe, or of the role's where none was attached.
type probeName struct {
	name     string
	attached bool
}

func newLabels(h *schema.Header) labels {
	var l labels
	for role := range l {
		for phase := range l[role] {
			l[role][phase].name = schema.Role(role).Label() + phaseWord(schema.Phase(phase))
		}
	}
	for _, p := range h.GetProbe() {
		for _, phase := range p.Phases() {
			if p.Attached && l.known(p.Role, phase) {
				l[p.Role][phase] = probeName{replay.Symbol(p.Symbol) + phaseWord(phase), true}
			}
		}
	}
	return l
}

func (l *labels) known(r schema.Role, p schema.Phase) bool {
	return uint32(r) < uint32(len(l)) && uint32(p) < uint32(len(l[0]))
}

// Label is the kernel symbol that played the role in this run and which side of it
// was recorded, e.g. "__d_alloc return"; the role's name where none was attached.
func (f *Findings) Label(r schema.Role, p schema.Phase) string {
	if f.labels.known(r, p) {
		return f.labels[r][p].name
	}
	return r.Label() + phaseWord(p)
}

// recorded reports whether a probe was attached for the role and phase.
func (f *Findings) recorded(r schema.Role, p schema.Phase) bool {
	return f.labels.known(r, p) && f.labels[r][p].attached
}

func phaseWord(p schema.Phase) string {
	if p == schema.Exit {
		return " return"
	}
	return " entry"
}
