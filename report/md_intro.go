// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// inPlace is the kinds whose page has something, in the order of its places.
func inPlace(at func(*pageText) int) []*kind {
	var out []*kind
	for _, k := range table {
		if k != nil && at(&k.page) > 0 {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b *kind) int { return cmp.Compare(at(&a.page), at(&b.page)) })
	return out
}

// lessons are the bullets under the example lines.
func (f *Findings) lessons() []string {
	var out []string
	for _, k := range inPlace(func(c *pageText) int { return c.learnedAt }) {
		if l := k.page.learned(f); l != "" {
			out = append(out, l)
		}
	}
	if f.Tally.Total(Proven) == 0 {
		out = append(out, "Nothing could be proven; the reasons stand above.")
	}
	return out
}

// paragraphs tell the chains of the page, each by the proven claim of the run that tells
// most, and say so where there is none.
func (p *page) paragraphs() {
	p.line("<details><summary>an example of each</summary>\n")
	for _, k := range inPlace(func(c *pageText) int { return c.lead.at }) {
		t := &k.page.lead
		if e, ok := p.f.example(k.number); ok {
			p.part(func() {
				p.line("%s In %s, %s: %s. %s\n", t.before, text(e.Comm), code(e.Claim.Subject), e.Claim.Says(code), t.after)
			})
		} else {
			p.line("%s %s\n", t.before, cmp.Or(t.none, "No such claim is proven in this run."))
		}
	}
	p.necessity()
	p.line("</details>\n")
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
