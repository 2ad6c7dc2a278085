// SPDX-License-Identifier: Apache-2.0

package report

// Example is the proven claim of a kind with the highest rank, of the whole run.
type Example struct {
	Claim Claim
	Comm  string
	rank  int // 0: there is none
}

// rank orders the proven claims of a kind by how instructive they are; of equals the first is the example.
func (cl *Claim) rank(terms int) int {
	if rank := table[cl.Kind].rank; rank != nil {
		return rank(cl, terms)
	}
	return 1
}

// show keeps the claim where it ranks above the example of its kind.
func (c *collector) show(p *Program, cl *Claim) {
	if e := &c.f.examples[cl.Kind]; p != nil && cl.Verdict == Proven && (e.rank == 0 || table[cl.Kind].rank != nil) {
		if r := cl.rank(len(c.terms)); r > e.rank {
			*e = Example{c.own(cl), p.Comm, r}
		}
	}
}

// example returns it; false where no claim of the kind is proven in the run.
func (f *Findings) example(k Kind) (*Example, bool) {
	e := &f.examples[k]
	return e, e.rank > 0
}
