// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Hash Kind = 4

// Roles that look up a name in the hash table, and roles that show a dentry with the hash it has from then
// on.
var (
	lookups  = replay.RolesThat(schema.TraitLooksUp)
	rehashes = replay.RolesOf(schema.RoleInsert, schema.RoleMove)
)

var _ = register(func() kind {
	return kind{
		number:  Hash,
		name:    "hash",
		says:    "the hash recomputed from parent address and name is the kernel's",
		alone:   true,
		some:    lookups | rehashes,
		enters:  lookups | rehashes,
		exits:   rehashes | replay.RolesOf(schema.RoleHash),
		event:   (*view).hash,
		reasons: []*Reason{CutName, Redacted, NoNameHash, OwnHash, WrongHash},
		tell:    values,
		beside: func(p *page, e *schema.Event) string {
			if e.Role == schema.RoleMove {
				return "" // the claim on the move covers it
			}
			return hashBeside(p, e)
		},
		page: pageText{learnedAt: 4, learned: func(f *Findings, n uint64) string {
			return fmt.Sprintf("%d of %d hashes recomputed from parent address and name equal the kernel's.", n, n+f.Tally[Hash][Refuted])
		}},
	}
})

// Why a hash claim is not proven, in addition to the reasons shared with other kinds.
var (
	Redacted   = &Reason{Unproven, "redacted", false}
	NoNameHash = &Reason{Unproven, "this kernel's name hash is not known", false}
	OwnHash    = &Reason{Unproven, "the filesystem has its own hash (d_op->d_hash)", false}
	WrongHash  = &Reason{Refuted, "the recomputed hash is %s", false}
)

func (v *view) hash() {
	if e := v.step.Named(); e.Parent != 0 && e.Parent != e.Dentry {
		why, about := hashDoubt(v.layout, e)
		v.single(e, why, about, uint64(e.Hash))
	}
}

// hashDoubt recomputes qstr.hash from the address of the parent and the name. It returns nil if the hash is
// proven; about fills in the text of the reason.
func hashDoubt(l *schema.Layout, e *schema.Event) (why *Reason, about About) {
	if e.Role == schema.RoleHash { // the kernel's hash function may not be known, but here its result is
		if e.NameCut() {
			return CutName, About{}
		} else if schema.HashName(e.Parent, e.Name) == e.Hash {
			return nil, About{}
		}
	}
	switch {
	case l.GetNameHash() == schema.NameHash_NAME_HASH_REDACTED:
		return Redacted, About{}
	case l.GetNameHash() != schema.NameHash_NAME_HASH_WORD64_LE:
		return NoNameHash, About{}
	case e.Facts&schema.FactParentOpHash != 0:
		return OwnHash, About{}
	case e.Facts&schema.FactNameUnreadable != 0 || e.NameCut():
		return CutName, About{}
	}
	if h := schema.HashName(e.Parent, e.Name); h != e.Hash {
		return WrongHash, About{Text: fmt.Sprintf("%d, the kernel's is %d", h, e.Hash)}
	}
	return nil, About{}
}

// hashBeside returns the verdict on the hash of an event, to be printed beside that event.
func hashBeside(p *page, e *schema.Event) string {
	if e.Parent == 0 || e.Parent == e.Dentry {
		return ""
	}
	why, about := hashDoubt(p.f.Header.GetLayout(), e)
	return ", hash " + p.verdict(why, about)
}

// maxExplained bounds how many hashes are shown step by step.
const maxExplained = 256

// nameMax is NAME_MAX: the name of a component is not longer.
const nameMax = 255

// hashSteps shows how the kernel computes each different hash on this page, one operation per line.
func (p *page) hashSteps() {
	p.Line("x and y are 64 bits wide, and higher bits are dropped. rol64 rotates to the left. The source is hash_name() and fold_hash() in fs/namei.c.\n")
	seen, more := make(map[Place]bool), 0
	for _, prog := range p.f.Programs {
		for _, it := range prog.Items {
			for i := range it.Steps {
				e := &it.Steps[i].Event
				if h := placeOf(e); madeHash(e) && !seen[h] {
					if seen[h] = true; len(seen) > maxExplained || !p.part(func() { p.explainHash(e) }) {
						more++
					}
				}
			}
		}
	}
	if more > 0 {
		p.Line("%d more are not shown.\n", more)
	}
}

// madeHash reports whether the event carries the hash of a name under a parent.
func madeHash(e *schema.Event) bool {
	if len(e.Name) > nameMax {
		return false
	}
	if e.Role.Is(schema.TraitLooksUp) {
		return e.Phase == schema.Enter && e.Parent != 0
	}
	return rehashes.Has(e.Role) && e.Parent != 0 && e.Parent != e.Dentry
}

func (p *page) explainHash(e *schema.Event) {
	p.Line("%s under %#x, length %d (%s, #%d)%s:", code(e.Name), e.Parent, e.NameLen, p.f.Label(e.Role, e.Phase), e.ID, hashBeside(p, e))
	l := p.f.Header.GetLayout()
	if why, _ := hashDoubt(l, e); why.verdict() == Unproven {
		p.Line("the kernel's hash is %d.\n", e.Hash)
		return
	}
	var lines []string
	for _, s := range schema.HashSteps(e.Parent, e.Name) {
		line := fmt.Sprintf("%-30s x = %#016x  y = %#016x", s.Op, s.X, s.Y)
		if s.Note != "" {
			line += "  " + s.Note
		}
		lines = append(lines, line)
	}
	lines = append(lines, fmt.Sprintf("hash = %#x = %d; the kernel's: %d", schema.HashName(e.Parent, e.Name), schema.HashName(e.Parent, e.Name), e.Hash))
	if l.GetDHashShift() != 0 && l.GetDentryHashtable() != 0 {
		bucket := uint64(e.Hash >> l.DHashShift)
		lines = append(lines, fmt.Sprintf("bucket = %#x + 8 * (%d >> %d) = %#x + 8 * %d = %#x", l.DentryHashtable, e.Hash, l.DHashShift,
			l.DentryHashtable, bucket, l.DentryHashtable+8*bucket))
	}
	p.Fence("", lines)
	p.Line("")
}
