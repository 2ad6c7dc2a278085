// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const roles = schema.RoleEnd

// probes is the roles that a run recorded, by phase.
type probes [schema.Exit + 1]replay.Roles

func probesOf(h *schema.Header) probes {
	var p probes
	for _, pr := range h.GetProbe() {
		for _, phase := range pr.Phases() {
			if pr.Attached && pr.Role >= 0 && pr.Role < roles && phase >= 0 && phase <= schema.Exit {
				p[phase] |= replay.RolesOf(pr.Role)
			}
		}
	}
	return p
}

func (p *probes) has(r schema.Role, ph schema.Phase) bool {
	return ph >= 0 && ph <= schema.Exit && p[ph].Has(r)
}

// in returns what both runs recorded.
func (p probes) in(q probes) probes {
	for ph := range p {
		p[ph] &= q[ph]
	}
	return p
}

// kernelChange is one thing that the headers say differently of the kernels.
func kernelChange(k Kind, about, a, b string) *Difference {
	return &Difference{Kind: k, Pair: Pair{Program: "kernel"}, Lines: []Line{{Op: "-", Text: about + ": " + replay.Printable(a)}, {Op: "+", Text: about + ": " + replay.Printable(b)}}}
}

// kernelChanges compares what the two headers say of the kernels.
func kernelChanges(a, b *schema.Header) []*Difference {
	changes := symbols(a, b)
	if ma, mb := a.GetKernel().GetMachine(), b.GetKernel().GetMachine(); ma != mb {
		changes = append(changes, kernelChange(Layout, "machine", ma, mb+" (flags of opens are told in the numbers of include/uapi/asm-generic/fcntl.h)"))
	}
	la, lb := layout(a.GetLayout()), layout(b.GetLayout())
	for i, of := range la {
		if of != lb[i] {
			changes = append(changes, kernelChange(Layout, of[0], of[1], lb[i][1]))
		}
	}
	return changes
}

// tried reports whether a recorder knew the role: it lists what it attached, and what it
// could not. What a kernel log lacks is said of the log.
func tried(h *schema.Header, r schema.Role) bool {
	return h.Logged() || slices.ContainsFunc(h.GetProbe(), func(p *schema.Probe) bool { return p.Role == r })
}

// untried names the roles that the recorder of b knew, and that of a did not.
func untried(a, b *schema.Header) (names []string) {
	for _, info := range schema.Catalogue() {
		if !tried(a, info.Role) && symbolsOf(b, info.Role) != notRecorded {
			names = append(names, info.Name)
		}
	}
	return names
}

// halved names the symbols whose calls have an entry and an exit in a, and are one event each in b.
func halved(a, b *schema.Header) (names []string) {
	form := func(h *schema.Header, r schema.Role, whole bool) bool {
		return slices.ContainsFunc(h.GetProbe(), func(p *schema.Probe) bool {
			return p.Role == r && p.Attached && (p.Phase == schema.Whole) == whole
		})
	}
	for _, info := range schema.Catalogue() {
		if form(a, info.Role, false) && form(b, info.Role, true) {
			names = append(names, symbolsOf(a, info.Role))
		}
	}
	return names
}

const notRecorded = "not recorded"

// symbols compares which symbol played which role; a role that the kernel of one run had
// nothing for is told here, once.
func symbols(a, b *schema.Header) (changes []*Difference) {
	pa, pb := probesOf(a), probesOf(b)
	for _, info := range schema.Catalogue() {
		r, sa, sb := info.Role, symbolsOf(a, info.Role), symbolsOf(b, info.Role)
		if sa == sb || !tried(a, r) || !tried(b, r) {
			continue
		}
		if pa.has(r, schema.Enter) != pb.has(r, schema.Enter) || pa.has(r, schema.Exit) != pb.has(r, schema.Exit) {
			sb += " (left out of the comparison where only one run recorded it)"
		}
		changes = append(changes, kernelChange(Symbols, info.Name, sa, sb))
	}
	return changes
}

// symbolsOf lists what is attached for a role; the phases when they differ.
func symbolsOf(h *schema.Header, r schema.Role) string {
	var parts []string
	by := map[string][]string{}
	for _, p := range h.GetProbe() {
		if p.Role != r || !p.Attached {
			continue
		}
		if _, met := by[p.Symbol]; !met {
			parts = append(parts, p.Symbol)
		}
		for _, phase := range p.Phases() {
			by[p.Symbol] = append(by[p.Symbol], phase.Label())
		}
	}
	if len(parts) == 0 {
		return notRecorded
	}
	info, _ := r.Info()
	both := info.Enter != nil && info.Exit != nil
	for i, symbol := range parts {
		phases := by[symbol]
		slices.Sort(phases)
		if phases = slices.Compact(phases); both && len(phases) < 2 {
			parts[i] = symbol + " (" + strings.Join(phases, ", ") + " only)"
		}
	}
	return strings.Join(parts, ", ")
}

// layout is what a header says of the kernel's structures, but for addresses: names and values.
func layout(l *schema.Layout) (list [][2]string) {
	hash := "not known"
	if h := l.GetNameHash(); h != schema.NameHash_NAME_HASH_UNSPECIFIED {
		hash = h.Label()
	}
	for _, row := range []struct {
		about string
		value any
	}{
		{"sizeof(struct dentry)", l.GetDentrySize()},
		{"offset of d_hash", l.GetDHash()},
		{"offset of d_parent", l.GetDParent()},
		{"offset of d_name", l.GetDName()},
		{"offset of d_inode", l.GetDInode()},
		{"field of the inline name", l.GetInlineNameField()},
		{"offset of the inline name", l.GetInlineName()},
		{"size of the inline name", l.GetInlineNameSize()},
		{"offset of name in struct external_name", l.GetExternalName()},
		{"offset of name in struct filename", l.GetFilenameName()},
		{"offset of iname in struct filename", l.GetFilenameIname()},
		{"d_hash_shift", l.GetDHashShift()},
		{"page size", l.GetPageSize()},
		{"hash of names", hash},
	} {
		list = append(list, [2]string{row.about, fmt.Sprint(row.value)})
	}
	return list
}
