// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/schema"
)

// maxExplained bounds how many hashes are shown step by step.
const maxExplained = 256

// nameMax is NAME_MAX: what is longer is no component's name.
const nameMax = 255

// hashed is what a hash is made of.
type hashed struct {
	parent uint64
	name   string
	hash   uint32
}

// hashSteps shows every different hash on this page as the kernel computes it, one
// operation a line.
func (p *page) hashSteps() {
	p.line("## Hashes, Step by Step")
	p.line("x and y are 64 bits wide; what goes beyond is dropped. rol64 rotates to the left. In the source: hash_name() and fold_hash() of fs/namei.c.\n")
	seen := make(map[hashed]bool)
	for _, prog := range p.f.Programs {
		for _, it := range prog.Items {
			for i := range it.Steps {
				e := &it.Steps[i].Event
				if h := (hashed{e.Parent, e.Name, e.Hash}); madeHash(e) && !seen[h] {
					if seen[h] = true; len(seen) <= maxExplained {
						p.explainHash(e)
					}
				}
			}
		}
	}
	if n := len(seen) - maxExplained; n > 0 {
		p.line("%d more are not shown.\n", n)
	}
}

// madeHash reports whether the event carries a hash of a name under a parent.
func madeHash(e *schema.Event) bool {
	if len(e.Name) > nameMax {
		return false
	}
	switch e.Role {
	case schema.RoleLookup, schema.RoleLookupRCU, schema.RoleLookupChain:
		return e.Phase == schema.Enter && e.Parent != 0
	case schema.RoleInsert, schema.RoleMove:
		return e.Parent != 0 && e.Parent != e.Dentry
	}
	return false
}

func (p *page) explainHash(e *schema.Event) {
	p.line("%s under %#x, length %d (%s, #%d)%s:", code(e.Name), e.Parent, e.NameLen, p.f.Label(e.Role, e.Phase), e.ID, p.hash(e))
	l := p.f.Header.GetLayout()
	if why, _ := hashDoubt(l, e); why.verdict() == Unproven {
		p.line("the kernel's hash is %d.\n", e.Hash)
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
	p.line("")
}
