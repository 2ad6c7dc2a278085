// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// lessons are the bullets under the example lines: one per kind with a proven claim.
func (f *Findings) lessons() []string {
	var out []string
	if n := f.Tally[Equality][Proven]; n > 0 {
		out = append(out, fmt.Sprintf("Pointer equality of one dentry is proven %d times.", n))
	}
	if n := f.Tally[Prefix][Proven]; n > 0 {
		out = append(out, fmt.Sprintf("Name offsets match path prefix lengths %d times%s.", n, f.prefixLengths()))
	}
	if f.Kept > 0 {
		out = append(out, fmt.Sprintf("A missing name still has a dentry: proven in %d opens.", f.Kept))
	}
	if n := f.Tally[Hash][Proven]; n > 0 {
		out = append(out, fmt.Sprintf("%d of %d hashes recomputed from parent address and name equal the kernel's.", n, n+f.Tally[Hash][Refuted]))
	}
	if f.Tally.Total(Proven) == 0 {
		out = append(out, "Nothing could be proven; the reasons stand above.")
	}
	return out
}

// prefixLengths are some of the prefixes, in the order of their first claims.
func (f *Findings) prefixLengths() string {
	var some []string
	seen := make(map[string]bool)
	for _, p := range f.Programs {
		for _, it := range p.Items {
			for i := range it.Claims {
				cl := &it.Claims[i]
				if cl.Kind == Prefix && cl.Verdict == Proven && cl.Result > 0 && !seen[cl.Means] && len(some) < maxLessons {
					seen[cl.Means] = true
					some = append(some, fmt.Sprintf("%s = %d", code(cl.Means), cl.Result))
				}
			}
		}
	}
	if len(some) == 0 {
		return ""
	}
	return ", as in " + strings.Join(some, ", ")
}

// paragraphs tell the chains of the page, each by the proven claim of the run that tells
// most, and say so where there is none.
func (p *page) paragraphs() {
	p.paragraph("Pointer equality.", Equality,
		"The addresses are equal and the dentry did not end between the events, so they are about one dentry.")
	p.paragraph("The component is a subtraction.", Prefix,
		"The name starts at the component inside the full path.")
	p.paragraph("Eviction is two events and a subtraction.", Eviction,
		"The kill and the new allocation prove it; the addresses alone would not, since a slab may hand the same one out again.")
	p.paragraph("A negative dentry is pointer equality too.", Negative,
		"The name was in the cache when the open returned, although the file is missing.")
	p.necessity()
}

func (p *page) paragraph(title string, k Kind, means string) {
	e, ok := p.f.example(k)
	if !ok {
		p.line("%s %s\n", title, none(k))
		return
	}
	p.line("%s In %s, %s: %s. %s\n", title, text(e.Comm), code(e.Claim.Subject), e.Claim.Says(code), means)
}

// none says that a kind has no example.
func none(k Kind) string {
	if k == Negative {
		return "No missing name is proven to stay in the cache in this run."
	}
	return "No such claim is proven in this run."
}

// necessity says for each role how many proven claims are of kinds that cannot stand without it.
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
		p.line("So many proven claims of this run fall at least when a probe is missing: %s.\n", strings.Join(parts, ", "))
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
