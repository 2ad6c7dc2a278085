// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

const operand = `(0x[0-9a-fA-F]{9,16})(?: \([^()]*\))?`

var (
	difference = regexp.MustCompile(operand + ` ?[−-] ?` + operand + ` = (?:(0x[0-9a-fA-F]+)(?: = (\d+))?|(\d+))`)
	minus      = regexp.MustCompile(operand + ` ?[−-] ?` + operand + ` = `)
	quotient   = regexp.MustCompile(`\(` + operand + ` − ` + operand + `\) / 8 = (\d+), (\d+) >> (\d+) = (\d+)`)
	unequal    = regexp.MustCompile(operand + ` (?:≠|!=) ` + operand)
	equal      = regexp.MustCompile(operand + `(?: = ` + operand + `)+`)
	compared   = regexp.MustCompile(`\b(\d+) ([<≥]) (\d+)\b`)
	pathLength = regexp.MustCompile("(?:^|[ (,:])(`/[^`]*/`|`/`|/[^ =`]*/) = (\\d+)\\b")
	// lengthOf follows a difference: what it is the length of.
	lengthOf = regexp.MustCompile(`^.{0,60}?(?:length of|bytes of|matches) (["` + "`" + `].*)$`)
	lengthIs = regexp.MustCompile(`^["` + "`" + `] length (\d+)`)
	offsetOf = regexp.MustCompile("^, offset of `(\\w+)`")
)

// arithmetic computes again what a line computes.
func (j *judge) arithmetic(l *line) {
	all := difference.FindAllStringSubmatchIndex(l.text, -1)
	for i, m := range all {
		end := len(l.text)
		if i+1 < len(all) {
			end = all[i+1][0]
		}
		j.difference(l, m, l.name[m[1]:end])
	}
	for _, m := range minus.FindAllStringIndex(l.text, -1) {
		if !slices.ContainsFunc(all, func(d []int) bool { return d[0] == m[0] }) {
			j.report(l, span{m[0], m[1]}, "subtraction", Wrong, nil, "the result is no number")
		}
	}
	for _, m := range quotient.FindAllStringSubmatchIndex(l.text, -1) {
		n := numbers(l.text, m)
		right := (n[0]-n[1])/8 == n[2] && n[4] < 32 && n[3]>>n[4] == n[5] && n[2] == n[5] && n[4] == uint64(j.x.header.GetLayout().GetDHashShift())
		j.computed(l, span{m[0], m[1]}, "quotient", right, fmt.Sprintf("(%#x − %#x) / 8 = %d, %d >> %d = %d", n[0], n[1], (n[0]-n[1])/8, n[3], n[4], n[3]>>min(n[4], 63)))
	}
	for _, m := range unequal.FindAllStringSubmatchIndex(l.text, -1) {
		n := numbers(l.text, m)
		j.computed(l, span{m[0], m[1]}, "inequality", n[0] != n[1], "they are equal")
	}
	for _, m := range equal.FindAllStringIndex(l.text, -1) {
		s := span{m[0], m[1]}
		terms := addressToken.FindAllString(l.text[s.from:s.to], -1)
		right := true
		for _, t := range terms {
			right = right && hexadecimal(t) == hexadecimal(terms[0])
		}
		j.computed(l, s, "equality", right, "they are not equal")
	}
	for _, m := range compared.FindAllStringSubmatchIndex(l.text, -1) {
		a, b := decimal(l.text[m[2]:m[3]]), decimal(l.text[m[6]:m[7]])
		j.computed(l, span{m[0], m[1]}, "comparison", (a < b) == (l.text[m[4]:m[5]] == "<"), "it is not")
	}
	for _, m := range pathLength.FindAllStringSubmatchIndex(l.text, -1) {
		path := strings.Trim(l.name[m[2]:m[3]], "`")
		j.computed(l, span{m[2], m[1]}, "length", uint64(len(path)) == decimal(l.text[m[4]:m[5]]), fmt.Sprintf("the length is %d", len(path)))
	}
}

func numbers(text string, m []int) []uint64 {
	var out []uint64
	for g := 2; g < len(m); g += 2 {
		switch {
		case m[g] < 0:
			out = append(out, 0)
		case strings.HasPrefix(text[m[g]:m[g+1]], "0x"):
			out = append(out, hexadecimal(text[m[g]:m[g+1]]))
		default:
			out = append(out, decimal(text[m[g]:m[g+1]]))
		}
	}
	return out
}

// difference computes a subtraction again, and what the page says the result is.
func (j *judge) difference(l *line, m []int, after string) {
	s, n := span{m[0], m[1]}, numbers(l.text, m)
	result := n[0] - n[1]
	right := true
	for i, g := range []int{6, 8, 10} {
		right = right && (m[g] < 0 || n[2+i] == result)
	}
	j.computed(l, s, "subtraction", right, fmt.Sprintf("the result is %#x = %d", result, result))
	if o := offsetOf.FindStringSubmatch(after); o != nil {
		layout := j.x.header.GetLayout()
		j.computed(l, s, "offset", uint64(layout.GetInlineName()) == result && layout.GetInlineNameField() == o[1],
			fmt.Sprintf("%s is at %d in this run's kernel", layout.GetInlineNameField(), layout.GetInlineName()))
	}
	of := lengthOf.FindStringSubmatch(after)
	if of == nil {
		return
	}
	name, ok := quotation(of[1])
	if !ok {
		return
	}
	length := uint64(len(plain(name)))
	right = length == result
	if is := lengthIs.FindStringSubmatch(of[1][strings.Index(of[1], name)+len(name):]); is != nil {
		right = right && decimal(is[1]) == length
	}
	j.computed(l, s, "length", right, fmt.Sprintf("%s has length %d, the difference is %d", quoted(name), length, result))
}

var (
	atOffset  = regexp.MustCompile(`\b([a-z_]+)(?:\[(\d+)\])? @(\d+)`)
	bareAt    = regexp.MustCompile(`(?:^|[ (])@(\d+)`)
	sizeWords = regexp.MustCompile(`struct dentry, (\d+) bytes`)
	shift     = regexp.MustCompile(`d_hash_shift = (\d+)`)
)

// layout judges offsets and sizes of the kernel's structures.
func (j *judge) layout(l *line) {
	known := j.x.header.GetLayout()
	offsets := map[string]uint32{"d_parent": known.GetDParent(), "d_name": known.GetDName(), "d_inode": known.GetDInode(),
		"name": known.GetFilenameName(), "iname": known.GetFilenameIname()}
	if known.GetInlineNameField() != "" {
		offsets[known.GetInlineNameField()] = known.GetInlineName()
	}
	one := func(s span, right bool) {
		v := Found
		if !right || known.GetDentrySize() == 0 {
			v = Absent
		}
		j.report(l, s, "layout", v, nil, noteIf(known.GetDentrySize() == 0, "the layout of this run's kernel is not known"))
	}
	named := make(map[int]bool) // where the offset of a named field ends
	for _, m := range atOffset.FindAllStringSubmatchIndex(l.text, -1) {
		named[m[1]] = true
		want, ok := offsets[l.text[m[2]:m[3]]]
		right := ok && decimal(l.text[m[6]:m[7]]) == uint64(want)
		if m[4] >= 0 {
			right = right && decimal(l.text[m[4]:m[5]]) == uint64(known.GetInlineNameSize())
		}
		one(span{m[0], m[1]}, right)
	}
	for _, m := range bareAt.FindAllStringSubmatchIndex(l.text, -1) {
		if named[m[1]] {
			continue
		}
		one(span{m[2] - 1, m[3]}, isOffset(known, decimal(l.text[m[2]:m[3]])))
	}
	for _, m := range sizeWords.FindAllStringSubmatchIndex(l.text, -1) {
		one(span{m[0], m[1]}, decimal(l.text[m[2]:m[3]]) == uint64(known.GetDentrySize()))
	}
	for _, m := range shift.FindAllStringSubmatchIndex(l.text, -1) {
		one(span{m[0], m[1]}, decimal(l.text[m[2]:m[3]]) == uint64(known.GetDHashShift()))
	}
}

// isOffset reports whether a number is an offset in the layout.
func isOffset(k *schema.Layout, n uint64) bool {
	for _, o := range []uint32{k.GetDHash(), k.GetDParent(), k.GetDName(), k.GetDInode(), k.GetInlineName(), k.GetExternalName(), k.GetFilenameName(), k.GetFilenameIname()} {
		if uint64(o) == n {
			return true
		}
	}
	return false
}
