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
	if !j.code {
		return
	}
	from := 0
	for line := range strings.SplitAfterSeq(j.text, "\n") {
		if of, members := structure(line); members != nil {
			ran := j.structures()[of]
			for _, m := range members {
				if want, ok := ran[line[m[2]:m[3]]]; ok {
					j.computed(span{from + m[0], from + m[1]}, "layout", line[m[4]:m[5]] == want, "it is at "+want)
				}
			}
		}
		from += len(line)
	}
}

// structures are the structures of the report: offsets by name and member.
func (j *judge) structures() map[string]map[string]string {
	if j.offsets == nil {
		j.offsets = make(map[string]map[string]string)
		for line := range j.report {
			of, members := structure(line)
			for _, m := range members {
				if j.offsets[of] == nil {
					j.offsets[of] = make(map[string]string)
				}
				j.offsets[of][line[m[2]:m[3]]] = line[m[4]:m[5]]
			}
		}
	}
	return j.offsets
}

// structure parts a line into the name of a structure and its members with offsets: of each, where it, its name and the offset begin and end.
func structure(line string) (of string, members [][]int) {
	rest, ok := strings.CutPrefix(line, "struct ")
	if !ok || !strings.Contains(rest, " @") {
		return "", nil
	}
	return rest[:len(rest)-len(strings.TrimLeft(rest, wordLetters))], regexp.MustCompile(`(\w+)(?:\[\d+\])? @(\d+)`).FindAllStringSubmatchIndex(line, -1)
}

const wordLetters = "abcdefghijklmnopqrstuvwxyz_0123456789"

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
