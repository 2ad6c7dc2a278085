// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Prefix Kind = 1

var _ = register(func() kind {
	return kind{
		number:  Prefix,
		name:    "prefix",
		says:    "name pointer − path pointer = length of the path before the component",
		open:    (*view).prefixes,
		line:    suggestPrefix,
		needs:   replay.RolesOf(schema.RoleLookupRCU, schema.RoleAlloc),
		some:    replay.RolesOf(schema.RoleLookupChain),
		reasons: []*Reason{CutName, OtherComponent},
		tell: func(cl *Claim, q func(string) string) string {
			if cl.Means == "" {
				return cl.Subtraction() + ", nothing before it"
			}
			return cl.Subtraction() + ", length of " + q(cl.Means)
		},
		lesson: func(cl *Claim, it *Item) string {
			// An open may end at a missing directory, whose offset is not that of the basename.
			if !cl.copied() || strings.Contains(it.Path[len(cl.Means):], "/") {
				return ""
			}
			return fmt.Sprintf("basename offset of %s = %d", code(it.Path), cl.Result)
		},
		rank: func(cl *Claim, _ int) int {
			switch {
			case !cl.copied():
				return 1
			case cl.Result > 1:
				return 3
			}
			return 2
		},
		page: pageText{
			learnedAt: 2,
			learned: func(f *Findings, n uint64) string {
				return fmt.Sprintf("Name offsets match path prefix lengths %d times%s.", n, f.prefixLengths())
			},
			lead: paragraph{at: 2, before: "The offset of a component is a subtraction.", after: "The name starts at the component inside the full path."},
			probes: paragraph{at: 3, before: "Now go back to the copy source.",
				after: "The open's entry gives the pointer to the full path, and the entry of the alloc or lookup the pointer to the component."},
		},
	}
})

var OtherComponent = &Reason{Refuted, "the path has another component at that offset", false}

// prefixes makes a claim for each component: its name pointer minus the path pointer is the length of the
// path before the component.
func (v *view) prefixes() {
	c, enter := v.collector, v.enter
	for i := range c.rows {
		r := &c.rows[i]
		s := r.alloc // the copy source
		if s == nil {
			s = r.lookup
		}
		why, about := c.unsettled(v.kind.needs, whole(enter.Time, s.ev.Time))
		switch {
		case why != nil:
		case s.ev.NameCut() || enter.NameCut():
			why = CutName
		case quote(enter.Name, r.offset, r.end) != s.ev.Name || r.offset > 0 && enter.Name[r.offset-1] != '/':
			why = OtherComponent
		}
		if c.unmade(v.p, v.kind, why) {
			continue
		}
		cl := c.draft(v.kind, enter.Name)
		cl.doubt(why, about)
		if r.alloc != nil {
			cl.Detail = fromSource{}
		}
		cl.Left = Term{c.label(s.ev.Role, schema.Enter), s.ev.NameAddr, s.ev.ID, s.ev.Comm}
		cl.Right = Term{c.label(schema.RoleOpen, schema.Enter), enter.NameAddr, enter.ID, enter.Comm}
		cl.Result, cl.Means, cl.Object = s.ev.NameAddr-enter.NameAddr, enter.Name[:r.offset], ref(r.result)
		c.emit(v.p, v.it, cl)
	}
}

// fromSource marks a prefix claim whose Left is the copy source of a new dentry's name.
type fromSource struct{}

func (d fromSource) clone() Detail { return d }
func (fromSource) bytes() int      { return 0 }

func (cl *Claim) copied() bool { return cl.Detail != nil }

// suggestPrefix makes a claim if line i of a log has a copy source that lies in the path of the open's
// line.
func suggestPrefix(v *view, it *Item, i int) {
	in, src := &it.Steps[0].Event, &it.Steps[i].Event
	off := src.NameAddr - in.NameAddr
	if src.Role != schema.RoleAlloc || src.Phase != schema.Enter || !src.Columns.Has(schema.ColumnNameAddr) ||
		!in.Columns.Has(schema.ColumnNameAddr) || off >= uint64(len(in.Name)) || off > 0 && in.Name[off-1] != '/' {
		return
	}
	cl := Claim{Kind: Prefix, Verdict: Proven, Subject: in.Name, Result: off, Means: in.Name[:off], Detail: fromSource{},
		Left:  Term{v.label(src.Role, src.Phase), src.NameAddr, src.ID, ""},
		Right: Term{v.label(in.Role, in.Phase), in.NameAddr, in.ID, ""}}
	cl.doubt(FromLog, About{})
	v.terms = append(v.terms[:0], cl.Left, cl.Right)
	v.emit(v.p, it, &cl)
}

// prefixLengths returns some of the prefixes and their lengths, in the order of their first claims.
func (f *Findings) prefixLengths() string {
	var some []string
	seen := make(map[string]bool)
	for _, p := range f.Programs {
		for cl := range p.proven(func(*Item) bool { return true }) {
			if cl.Kind == Prefix && cl.Result > 0 && !seen[cl.Means] && len(some) < maxLessons {
				seen[cl.Means] = true
				some = append(some, fmt.Sprintf("%s = %d", code(cl.Means), cl.Result))
			}
		}
	}
	if len(some) == 0 {
		return ""
	}
	return ", as in " + strings.Join(some, ", ")
}
