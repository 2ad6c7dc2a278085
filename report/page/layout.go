// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"regexp"
	"strings"
)

// layout holds the offsets of "struct dentry, 192 bytes { d_parent @24, …" against those of the kernel that ran, as its
// report has them. Of a structure or member that the report does not have nothing is said.
func (j *judge) layout() {
	from := 0
	for line := range strings.SplitAfterSeq(j.text, "\n") {
		for _, m := range membersOf(line) {
			if want, ok := j.offsets[m.name]; ok && j.code {
				j.computed(span{from + m.from, from + m.to}, "layout", m.offset == want, "it is at "+want)
			}
		}
		from += len(line)
	}
}

// member is one of a structure, with its offset, as a line has it.
type member struct {
	span
	name, offset string
}

// membersOf are the members that a line about a structure gives offsets of.
func membersOf(line string) (list []member) {
	rest, ok := strings.CutPrefix(line, "struct ")
	if !ok || !strings.Contains(rest, " @") {
		return nil
	}
	of := regexp.MustCompile(`^\w*`).FindString(rest)
	for _, m := range regexp.MustCompile(`(\w+)(?:\[\d+\])? @(\d+)`).FindAllStringSubmatchIndex(line, -1) {
		list = append(list, member{span{m[0], m[1]}, of + "." + line[m[2]:m[3]], line[m[4]:m[5]]})
	}
	return list
}

// shift holds "d_hash_shift = 15" against the kernel that ran.
func (j *judge) shift(i int) {
	is, n, ran := j.token(i+1), j.token(i+2), j.x.header.GetLayout().GetDHashShift()
	if is.sign == "==" && n.kind == number && ran > 0 {
		j.computed(span{j.tokens[i].from, n.to}, "layout", n.value == uint64(ran), fmt.Sprintf("it was %d", ran))
	}
}

// printed reports whether the line of a code block that a token is on stands so in the
// report of this run.
func (j *judge) printed(t *token) bool {
	line, _ := j.x.page.place(j.at[t.from])
	return j.code && j.report[j.x.page.lines[line-1]] != nil
}
