// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Prefix Kind = 1

var _ = register(kind{
	number:  Prefix,
	name:    "prefix",
	says:    "name pointer − path pointer = length of the path before the component",
	open:    (*view).prefixes,
	needs:   replay.RolesOf(schema.RoleOpen, schema.RoleLookupRCU, schema.RoleAlloc),
	reasons: []*Reason{CutName, OtherComponent},
	tell: func(cl *Claim, q func(string) string) string {
		if cl.Means == "" {
			return cl.Subtraction() + ", nothing before it"
		}
		return cl.Subtraction() + ", length of " + q(cl.Means)
	},
	lesson: func(cl *Claim, it *Item) string {
		// An open may end at a missing directory, whose offset is not that of the basename.
		if !cl.Copied || strings.Contains(it.Path[len(cl.Means):], "/") {
			return ""
		}
		return fmt.Sprintf("basename offset of %s = %d", code(it.Path), cl.Result)
	},
	rank: func(cl *Claim, _ int) int {
		switch {
		case !cl.Copied:
			return 1
		case cl.Result > 1:
			return 3
		}
		return 2
	},
})

var OtherComponent = &Reason{Refuted, "the path has another component at that offset", false}

// prefixes: the name pointer of each component, less the path pointer, is the
// length of what stands before it.
func (v *view) prefixes() {
	c, enter := v.collector, v.enter
	for i := range c.rows {
		r := &c.rows[i]
		s := r.alloc // the copy source
		if s == nil {
			s = r.lookup
		}
		cl := c.begin(v.kind, v.kind.needs, enter.Name, whole(enter.Time, s.ev.Time))
		cl.Copied = r.alloc != nil
		cl.Left = Term{c.label(s.ev.Role, schema.Enter), s.ev.NameAddr, s.ev.ID, s.ev.Comm}
		cl.Right = Term{c.label(schema.RoleOpen, schema.Enter), enter.NameAddr, enter.ID, enter.Comm}
		cl.Result, cl.Means, cl.Object = s.ev.NameAddr-enter.NameAddr, enter.Name[:r.offset], ref(r.result)
		switch {
		case s.ev.NameCut() || enter.NameCut():
			cl.doubt(CutName, About{})
		case quote(enter.Name, r.offset, r.end) != s.ev.Name || r.offset > 0 && enter.Name[r.offset-1] != '/':
			cl.doubt(OtherComponent, About{})
		}
		c.emit(v.p, v.it, cl)
	}
}
