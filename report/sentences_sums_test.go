// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// lengths checks the examples of prefix lengths.
func (r *reader) lengths(examples string) bool {
	for name, length := range r.prefixes {
		examples = strings.Replace(examples, fmt.Sprintf("%s = %d", code(name), length), "", 1)
		if length != uint64(len(name)) {
			return false
		}
	}
	return !number.MatchString(spanless(examples))
}

// hashes counts the hashes that can be recomputed, and those of them that are right.
func (r *reader) hashes() (right, all int) {
	if r.header.GetLayout().GetNameHash() != schema.NameHash_NAME_HASH_WORD64_LE {
		return 0, 0
	}
	for _, e := range r.events {
		if e.Entry != nil {
			e = e.Entry
		}
		switch {
		case !e.Role.Is(schema.TraitLooksUp) && e.Role != schema.RoleInsert && e.Role != schema.RoleMove, e.Role.Is(schema.TraitLooksUp) && e.Phase == schema.Exit,
			e.Parent == 0, e.Parent == e.Dentry, e.Facts&(schema.FactParentOpHash|schema.FactNameUnreadable) != 0, e.NameCut():
			continue
		}
		if all++; schema.HashName(e.Parent, e.Name) == e.Hash {
			right++
		}
	}
	return right, all
}

// ablations checks, for each role, the number of proven claims of the kinds that need it.
func (r *reader) ablations(said string) bool {
	var want []string
	for _, info := range schema.Catalogue() {
		sum := 0
		for _, k := range Kinds() {
			if k.Needs.Has(info.Role) {
				sum += r.proven(k.Name)
			}
		}
		if sum > 0 {
			want = append(want, fmt.Sprintf("%s %d", info.Name, sum))
		}
	}
	return said == strings.Join(want, ", ")
}

// symbols checks that the functions of a role are named.
func (r *reader) symbols(role, said string) bool {
	for _, p := range r.header.GetProbe() {
		if p.Attached && p.Role.Label() == role && !strings.Contains(said, code(p.Symbol)) {
			return false
		}
	}
	return true
}

var nowhere = regexp.MustCompile("the last lookup of (" + quoted + ") returned NULL, and nothing was allocated for it")

// denials checks what a line says is absent.
func (r *reader) denials(l string) (wrong []string) {
	var ids []uint64
	if m := nowhere.FindStringSubmatch(l); m != nil && slices.ContainsFunc(r.current().allocs, func(name string) bool { return code(name) == m[1] }) {
		wrong = append(wrong, "a dentry was allocated for it")
	}
	l = spanless(l)
	for _, m := range eventID.FindAllStringSubmatch(l, -1) {
		ids = append(ids, parse(m[1]))
	}
	if noFileWords.MatchString(l) && !slices.ContainsFunc(ids, func(id uint64) bool { return r.events[id] != nil && r.events[id].Errno() != 0 }) {
		wrong = append(wrong, "a file was opened")
	}
	if strings.Contains(l, "no alloc inside the open") {
		if o := r.current(); len(o.allocs) != 0 || ids[0] != o.enter.ID || ids[1] != o.exit.ID {
			wrong = append(wrong, fmt.Sprintf("it allocates for %q", o.allocs))
		}
	}
	if strings.Contains(l, "nothing before it") && !strings.Contains(l, "= 0x0 = 0") {
		wrong = append(wrong, "something is before it")
	}
	return wrong
}

var basename = regexp.MustCompile("basename offset of (" + quoted + ") = (\\d+)[;.]")

// clauses checks the clauses of a Learned line.
func (r *reader) clauses(l string) (wrong []string) {
	l = basename.ReplaceAllStringFunc(l, func(clause string) string {
		m := basename.FindStringSubmatch(clause)
		if !slices.ContainsFunc(r.opens, func(o *ownOpen) bool {
			return code(o.enter.Name) == m[1] && strconv.Itoa(strings.LastIndex(o.enter.Name, "/")+1) == m[2]
		}) {
			wrong = append(wrong, clause)
		}
		return ""
	})
	return append(wrong, r.cited(spanless(l))...)
}
