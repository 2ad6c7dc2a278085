// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const roles = schema.RoleEnd

// probes holds the roles whose entries, and those whose exits, a run recorded.
type probes struct{ enters, exits replay.Roles }

func probesOf(h *schema.Header) probes {
	enters, exits := replay.RolesByPhase(h)
	const known = 1<<roles - 1 // it is not known how to compare other roles
	return probes{enters & known, exits & known}
}

func (p *probes) has(r schema.Role, ph schema.Phase) bool {
	return ph == schema.Enter && p.enters.Has(r) || ph == schema.Exit && p.exits.Has(r)
}

// in returns what both runs recorded; inOne returns the roles of which only one of them recorded the entry
// or exit.
func (p probes) in(q probes) probes          { return probes{p.enters & q.enters, p.exits & q.exits} }
func (p probes) inOne(q probes) replay.Roles { return (p.enters ^ q.enters) | (p.exits ^ q.exits) }

// layoutOf returns what a header says about the kernel's structures, without addresses. Every header has the same rows.
func layoutOf(h *schema.Header) [][2]string {
	l, hash := h.GetLayout(), "not known"
	if n := l.GetNameHash(); n != schema.NameHash_NAME_HASH_UNSPECIFIED {
		hash = n.Label()
	}
	number := func(n uint32) string { return fmt.Sprint(n) }
	return [][2]string{
		{"sizeof(struct dentry)", number(l.GetDentrySize())},
		{"offset of d_hash", number(l.GetDHash())},
		{"offset of d_parent", number(l.GetDParent())},
		{"offset of d_name", number(l.GetDName())},
		{"offset of d_inode", number(l.GetDInode())},
		{"field of the inline name", l.GetInlineNameField()},
		{"offset of the inline name", number(l.GetInlineName())},
		{"size of the inline name", number(l.GetInlineNameSize())},
		{"offset of name in struct external_name", number(l.GetExternalName())},
		{"offset of name in struct filename", number(l.GetFilenameName())},
		{"offset of iname in struct filename", number(l.GetFilenameIname())},
		{"d_hash_shift", number(l.GetDHashShift())},
		{"page size", number(l.GetPageSize())},
		{"hash of names", hash},
	}
}

// kernelChanges compares what the two headers say about the kernels. A role that could not be recorded on
// one of the kernels is reported here, once; for one that was not asked for, see unlike.
func kernelChanges(a, b *schema.Header) (changes []*Difference) {
	compare := func(kind Kind, about, va, vb, remark string) {
		if va, vb = replay.Printable(va), replay.Printable(vb); va != vb {
			changes = append(changes, &Difference{Kind: kind, Pair: Pair{Program: "kernel"}, Lines: changed(about+": "+va, about+": "+vb+remark)})
		}
	}
	left := probesOf(a).inOne(probesOf(b))
	for _, info := range schema.Catalogue() {
		sa, sb, remark := symbolsOf(a, info), symbolsOf(b, info), ""
		if sa == "" || sb == "" || sa == notAsked || sb == notAsked {
			continue
		}
		if left.Has(info.Role) {
			remark = " (left out of the comparison where only one run recorded it)"
		}
		compare(Symbols, info.Name, sa, sb, remark)
	}
	compare(Layout, "machine", a.GetKernel().GetMachine(), b.GetKernel().GetMachine(),
		" (flags of opens are given in the numbers of include/uapi/asm-generic/fcntl.h)")
	rows := layoutOf(b)
	for i, row := range layoutOf(a) {
		compare(Layout, row[0], row[1], rows[i][1], "")
	}
	return changes
}

// What symbolsOf says of a role without a symbol.
const (
	notRecorded = "not recorded"
	notAsked    = "not asked for"
)

// symbolsOf lists the symbols attached for a role, with the phase if only entry or only exit is attached.
// It is empty if the recorder did not know the role, and notAsked if it was told to leave it out; a recorder that did lists the symbols it attached and
// those it could not. For a kernel log, a missing role is reported as not recorded.
func symbolsOf(h *schema.Header, info schema.RoleInfo) string {
	var symbols []string
	phases := make(map[string][]schema.Phase) // by symbol
	tried, asked := h.Logged(), h.Logged()
	for _, p := range h.GetProbe() {
		if p.Role != info.Role {
			continue
		}
		tried, asked = true, asked || p.Error != schema.NotAskedFor
		if !p.Attached {
			continue
		}
		if phases[p.Symbol] == nil {
			symbols = append(symbols, p.Symbol)
		}
		phases[p.Symbol] = append(phases[p.Symbol], p.Phases()...)
	}
	for i, symbol := range symbols {
		if only := slices.Compact(phases[symbol]); info.Enter != nil && info.Exit != nil && len(only) == 1 {
			symbols[i] += " (" + only[0].Label() + " only)"
		}
	}
	switch {
	case !tried:
		return ""
	case !asked:
		return notAsked
	}
	return cmp.Or(strings.Join(symbols, ", "), notRecorded)
}

// unlike returns notes on how the recording of a differs from that of b where this cannot cause a
// difference but only hide one.
func unlike(a, b *schema.Header) (notes []string) {
	var without, unasked, halved []string
	p := probesOf(a)
	halves := (p.enters | p.exits) &^ joinedRoles(a) & joinedRoles(b)
	for _, info := range schema.Catalogue() {
		sa, sb := symbolsOf(a, info), symbolsOf(b, info)
		switch there := sb != "" && sb != notRecorded && sb != notAsked; {
		case sa == "" && there:
			without = append(without, info.Name)
		case sa == notAsked && there:
			unasked = append(unasked, info.Name)
		}
		if halves.Has(info.Role) {
			halved = append(halved, replay.Printable(sa))
		}
	}
	if without != nil {
		notes = append(notes, "was made by a recorder without "+strings.Join(without, ", ")+": left out")
	}
	if unasked != nil {
		notes = append(notes, "was recorded without "+strings.Join(unasked, ", ")+", which were not asked for: left out")
	}
	if halved != nil {
		notes = append(notes, "has an entry and an exit of "+strings.Join(halved, ", ")+" where the other run has one event: compared as one call, without its time")
	}
	return notes
}

// joinedRoles returns the roles of which a trace with the header has one event for entry and exit.
func joinedRoles(h *schema.Header) (s replay.Roles) {
	for _, p := range h.GetProbe() {
		if p.Attached && p.Phase == schema.Whole {
			s = s.With(p.Role)
		}
	}
	return s
}

// attached lists the ways in which the probes were attached.
func attached(h *schema.Header) string {
	var ways []string
	for _, p := range h.GetProbe() {
		if p.Attached {
			ways = append(ways, p.Attach.Label())
		}
	}
	slices.Sort(ways)
	return strings.Join(slices.Compact(ways), ", ")
}
