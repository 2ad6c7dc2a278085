// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// cited is a kept claim with the program and path it is of.
type cited struct {
	*Claim
	program *Program
}

// first returns the first kept proven claim of a kind that pick accepts.
func (f *Findings) first(k Kind, pick func(*Claim) bool) (cited, bool) {
	for _, p := range f.Programs {
		for _, it := range p.Items {
			for i := range it.Claims {
				if cl := &it.Claims[i]; cl.Kind == k && cl.Verdict == Proven && (pick == nil || pick(cl)) {
					return cited{cl, p}, true
				}
			}
		}
		for i := range p.Claims {
			if cl := &p.Claims[i]; cl.Kind == k && cl.Verdict == Proven && (pick == nil || pick(cl)) {
				return cited{cl, p}, true
			}
		}
	}
	return cited{}, false
}

// lessons are the bullets under the example lines: one per kind with a proven claim.
func (f *Findings) lessons() []string {
	var out []string
	if n := f.Tally[Equality][Proven]; n > 0 {
		out = append(out, fmt.Sprintf("Pointer equality of one dentry is proven %d times.", n))
	}
	if l := f.prefixLengths(); l != "" {
		out = append(out, "Name offsets match path prefix lengths: "+l+".")
	}
	if f.Kept > 0 {
		out = append(out, fmt.Sprintf("A missing name still has a dentry: proven in %d opens.", f.Kept))
	}
	if n := f.Tally[Hash][Proven]; n > 0 {
		out = append(out, fmt.Sprintf("%d of %d hashes recomputed from parent address and name equal the kernel's.", n, f.Hashes))
	}
	if len(out) == 0 {
		out = append(out, "Nothing could be proven; the reasons stand above.")
	}
	return out
}

// prefixLengths lists the different prefixes of proven claims, the first eight.
func (f *Findings) prefixLengths() string {
	var out []string
	seen := make(map[string]bool)
	f.first(Prefix, func(cl *Claim) bool {
		if cl.Result > 0 && !seen[cl.Means] {
			seen[cl.Means] = true
			out = append(out, fmt.Sprintf("%s = %d", code(cl.Means), cl.Result))
		}
		return len(out) == 8
	})
	return strings.Join(out, ", ")
}

// paragraphs tell the five chains of the page, each from the first claim that is
// proven, and say so where none is.
func (p *page) paragraphs() {
	p.paragraph("Pointer equality.", Equality, longest(p.f, Equality),
		"The addresses are equal and the dentry did not end between the events, so the inserted dentry is the one that the open returned.")
	p.paragraph("The component is a subtraction.", Prefix, longPrefix,
		"The copy source starts at the component inside the full path.")
	p.paragraph("Eviction is two events and a subtraction.", Eviction, nil,
		"The kill and the new allocation prove it; the addresses alone would not, since a slab may hand the same one out again.")
	p.paragraph("A negative dentry is pointer equality too.", Negative, kept(p.f),
		"The name is in the cache although the file is missing.")
	p.necessity()
}

// longest accepts the claim of the kind with most operands.
func longest(f *Findings, k Kind) func(*Claim) bool {
	most := 0
	f.first(k, func(cl *Claim) bool { most = max(most, len(cl.Terms)); return false })
	return func(cl *Claim) bool { return len(cl.Terms) == most }
}

// kept accepts the claim with most operands on a missing name that stayed in the cache.
func kept(f *Findings) func(*Claim) bool {
	most := 0
	f.first(Negative, func(cl *Claim) bool {
		if cl.Kept {
			most = max(most, len(cl.Terms))
		}
		return false
	})
	return func(cl *Claim) bool { return cl.Kept && len(cl.Terms) == most }
}

func (p *page) paragraph(title string, k Kind, pick func(*Claim) bool, means string) {
	cl, ok := p.f.first(k, pick)
	if !ok {
		p.line("%s No such claim is proven in this run.\n", title)
		return
	}
	p.line("%s In %s, %s: %s. %s\n", title, text(cl.program.Comm), code(cl.Subject), cl.Says(code), means)
}

// necessity says for each role how many proven claims could not stand without it.
func (p *page) necessity() {
	var parts []string
	for _, info := range schema.Catalogue() {
		var n uint64
		for _, k := range Kinds() {
			if k.Needs.Has(info.Role) {
				n += p.f.Tally[k.Kind][Proven]
			}
		}
		if n > 0 && p.f.Attached.Has(info.Role) {
			parts = append(parts, fmt.Sprintf("%s %d", info.Name, n))
		}
	}
	if len(parts) > 0 {
		p.line("What falls when a probe is missing, in proven claims of this run: %s.\n", strings.Join(parts, ", "))
	}
}

// needed names the kinds of claim that need a role.
func needed(r schema.Role) string {
	var out []string
	for _, k := range Kinds() {
		if (k.Needs | k.Some).Has(r) {
			out = append(out, k.Name)
		}
	}
	return strings.Join(out, ", ")
}
