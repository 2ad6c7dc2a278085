// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Says spells the claim out: its operands with the ids of their events and its
// arithmetic, in plain text with names quoted by q.
func (cl *Claim) Says(q func(string) string) string {
	var b strings.Builder
	b.WriteString(table[cl.Kind].tell(cl, q))
	if cl.Note.Text != "" {
		b.WriteString("; " + cl.Note.String())
	}
	return b.String()
}

// Subtraction spells Left − Right = 0xhex = decimal.
func (cl *Claim) Subtraction() string {
	return fmt.Sprintf("%#x (%s, #%d) − %#x (%s, #%d) = %#x = %d",
		cl.Left.Value, cl.Left.Label, cl.Left.Event, cl.Right.Value, cl.Right.Label, cl.Right.Event, cl.Result, cl.Result)
}

// equals spells the operands that hold one address as a chain of equalities, and
// the others after it; with the tasks where they may be several.
func equals(terms []Term, tasks bool) string {
	var same, rest []string
	for _, t := range terms {
		switch {
		case schema.Errno(t.Value) != 0:
			rest = append(rest, fmt.Sprintf("%s %s (#%d)", t.Label, schema.ErrnoText(schema.Errno(t.Value)), t.Event))
		case t.Value == 0:
			rest = append(rest, fmt.Sprintf("%s NULL (#%d)", t.Label, t.Event))
		default:
			same = append(same, fmt.Sprintf("%#x (%s, %s)", t.Value, t.Label, cite(t, tasks)))
		}
	}
	if len(same) > 0 {
		rest = append([]string{strings.Join(same, " = ")}, rest...)
	}
	return strings.Join(rest, "; ")
}

// cite names the event, and with task who caused it.
func cite(t Term, task bool) string {
	if !task || t.Comm == "" {
		return "#" + strconv.FormatUint(t.Event, 10)
	}
	return "#" + strconv.FormatUint(t.Event, 10) + " by " + replay.Printable(t.Comm)
}

// String is the dentry's number and address, "D3 0xffff…".
func (r Ref) String() string {
	if r.Seq == 0 {
		return "no dentry"
	}
	return fmt.Sprintf("D%d %#x", r.Seq, r.Addr)
}
