// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/schema"
)

const Start Kind = 15

var _ = register(func() kind {
	var first *walkStep // the lookup of the first component
	return kind{
		number:  Start,
		name:    "start",
		says:    "the first component was looked up in the root directory, the working directory or the open directory that the path starts from",
		needs:   lookups,
		walks:   true,
		columns: 1 << schema.ColumnStart,
		open: func(v *view) {
			if v.enter.Start == 0 || v.enter.NameCut() {
				return
			}
			if first = v.firstLookup(); first != nil {
				v.at = whole(v.enter.Time, first.ev.Time)
				v.judge()
			}
		},
		shows: []operand{{show: func(v *view) {
			v.term(v.label(v.enter.Role, schema.Enter), v.enter.Start, v.enter.ID, v.enter.Comm)
			v.term(v.label(first.ev.Role, first.ev.Phase), first.ev.Parent, first.ev.ID, first.ev.Comm)
		}}},
		fails: []test{
			when(StartElsewhere, func(v *view) bool { return v.enter.Start != first.ev.Parent }),
		},
		fill: func(v *view, cl *Claim) { cl.Means = startOf(v.enter) },
		tell: func(cl *Claim, _ func(string) string) string {
			return "the walk started in " + cl.Means + ": " + equals(cl.Terms, false)
		},
	}
})

// StartElsewhere is the one reason why a start claim is not proven that other kinds do not share.
var StartElsewhere = &Reason{Unproven, "the first component was looked up under another dentry, as happens with a mount on that directory or a flag of openat2", false}

// startOf says in which directory a path starts.
func startOf(e *schema.Event) string {
	switch {
	case e.FromRoot():
		return "the root directory"
	case e.DirFD == schema.ATFDCWD:
		return "the working directory"
	}
	return fmt.Sprintf("the directory that descriptor %d is open on", e.DirFD)
}

// firstLookup returns the lookup of the first component of the path; nil if there is none, or if ".."
// stands before it.
func (v *view) firstLookup() *walkStep {
	if len(v.rows) == 0 || v.rows[0].lookup == nil {
		return nil
	}
	r := &v.rows[0]
	if name, up := skipped(v.enter.Name, 0, min(r.offset, len(v.enter.Name))); name != "" || up {
		return nil
	}
	return r.lookup
}
