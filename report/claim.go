// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
)

// Verdict is what the events allow to say of a claim.
type Verdict uint8

// A claim is proven or refuted by events that are cited, or unproven for a reason
// that is given.
const (
	Unproven Verdict = iota
	Proven
	Refuted
	verdicts
)

func (v Verdict) String() string { return [...]string{"unproven", "proven", "refuted"}[v] }

// Term is one operand: a value and the event that recorded it.
type Term struct {
	Label string // the probe it was read at, e.g. "__d_alloc return"
	Value uint64 // an address, or a number where the label says so
	Event uint64 // id
	Comm  string // the task
}

// Claim is a statement with its operands and what the events say of it.
type Claim struct {
	Kind    Kind
	Verdict Verdict
	Why     *Reason // why unproven or refuted; nil when proven
	About   About   // what the reason is about
	Subject string  // the path, or the name of the dentry
	Object  Ref     // the dentry it is about; Seq 0: none
	Other   Ref     // eviction: the dentry before; hard link: the other one; race: the one that lost
	Terms   []Term
	Left    Term   // subtraction: Left.Value - Right.Value = Result
	Right   Term   // zero Label: no subtraction
	Result  uint64 // bytes, or what Means says
	Means   string // what the result is, e.g. `length of "/tmp/"`
	Note    Note   // what else the events show
	Detail  Detail // what claims of its kind have besides; nil: nothing
}

// Note is what else the events show, in words.
type Note struct {
	Text  string // empty: nothing
	Event uint64 // its end, as #17; 0: there is none
}

func (n Note) String() string {
	if n.Event == 0 {
		return n.Text
	}
	return n.Text + "#" + strconv.FormatUint(n.Event, 10)
}

// Detail is what the claims of one kind have besides. Its type is the kind's.
type Detail interface {
	clone() Detail // that of a claim which is kept
	bytes() int    // about what that takes
}

// Clone returns a claim that stays what it is when the next one is judged.
func (cl *Claim) Clone() Claim {
	out := *cl
	out.Subject, out.Terms = strings.Clone(cl.Subject), slices.Clone(cl.Terms)
	if out.Detail != nil {
		out.Detail = out.Detail.clone()
	}
	return out
}

// Ref names a dentry: D and its number in order of first sight, and its address.
type Ref struct {
	Seq  uint64
	Addr uint64
}

func ref(d *replay.Object) Ref {
	if d == nil {
		return Ref{}
	}
	return Ref{d.Seq, d.Addr}
}

// Tally counts verdicts by kind of claim.
type Tally [maxKinds][verdicts]uint64

func (t *Tally) add(k Kind, v Verdict) { t[k][v]++ }

// Total returns how many claims have the verdict.
func (t *Tally) Total(v Verdict) uint64 {
	var n uint64
	for k := range t {
		n += t[k][v]
	}
	return n
}
