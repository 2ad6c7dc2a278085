// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

var (
	bucketOf   = regexp.MustCompile(`\(\s*(0x[0-9a-fA-F]{9,16})\s*[−–-]\s*(0x[0-9a-fA-F]{9,16})\s*\)\s*/\s*8\s*=\s*(\d+),\s*(\d+)\s*>>\s*(\d+)\s*=\s*(\d+)`)
	pathLength = regexp.MustCompile("(?:^|[ (,:])(`/[^`]*/`|`/`|/[^ =`]*/) = (\\d+)\\b")
	// lengthOf follows a difference: what it is the length of.
	lengthOf = regexp.MustCompile(`(?:length of|bytes of|matches)\s`)
	lengthIs = regexp.MustCompile(`^"? length (\d+)`)
	offsetOf = regexp.MustCompile(`^, offset of (\w+)`)
	// shifted is a hash whose bucket is computed.
	shifted = regexp.MustCompile("\\b(0x[0-9a-fA-F]+|\\d+)[`*_]*\\s*(?:>>|&gt;&gt;|≫)")
)

// arithmetic computes again what the passages of the page compute.
func (j *judge) arithmetic() {
	for i := range j.x.page.passages {
		p := &j.x.page.passages[i]
		if p.block == code && strings.HasPrefix(p.text, firstStep) {
			continue // a hash step by step, see steps
		}
		all := statementsOf(p.text, p.block == code)
		for k := range all {
			end := len(p.text)
			if k+1 < len(all) {
				end = max(all[k+1].left.from, all[k].span().to)
			}
			j.statement(p, &all[k], end)
		}
		j.buckets(p)
	}
	for i := range j.x.page.lines {
		if l := &j.x.page.lines[i]; l.block != source {
			j.pathLengths(l)
		}
	}
}

// state adds a finding about a stretch of a passage.
func (j *judge) state(p *passage, s span, kind string, v Verdict, events []uint64, note string) {
	at := p.at[s.from]
	l := &j.x.page.lines[at.line]
	j.result.Findings = append(j.result.Findings, Finding{Line: l.number, Column: min(at.column, len(l.raw)) + 1,
		Text: strings.Join(strings.Fields(p.name[s.from:s.to]), " "), Kind: kind, Verdict: v, Events: events, Note: note})
}

// redone adds a finding about what was computed again.
func (j *judge) redone(p *passage, s span, kind string, right bool, note string) {
	if right {
		j.state(p, s, kind, Found, nil, "")
	} else {
		j.state(p, s, kind, Wrong, nil, note)
	}
}

// kind is what a statement is called.
func (s *statement) kind() string {
	var operators []string
	for _, v := range s.values() {
		operators = append(operators, v.operators...)
	}
	switch {
	case slices.Contains(operators, "/"):
		return "quotient"
	case len(operators) == 1 && operators[0] == "-":
		return "subtraction"
	case len(operators) > 0:
		return "arithmetic"
	case len(s.relations) > 0 && s.relations[0].is == "==":
		return "equality"
	case len(s.relations) > 0 && s.relations[0].is == "!=":
		return "inequality"
	}
	return "comparison"
}

// statement computes a statement of a passage again, and what the words up to end say
// of it.
func (j *judge) statement(p *passage, s *statement, end int) {
	switch {
	case s.fault != "":
		j.state(p, s.span(), "arithmetic", Unread, nil, s.fault)
		return
	case len(s.relations) == 0 || !s.isHeavy() && !s.computes() && (p.aside || s.counts(p.text)):
		return
	}
	note, right := s.wrong()
	j.redone(p, s.span(), s.kind(), right, note)
	j.shifts(p, s)
	for _, v := range s.values() {
		if len(v.operators) == 1 && v.operators[0] == "-" && v.numbers[0].value >= heavy && v.numbers[1].value >= heavy {
			j.difference(p, s.span(), v, end)
		}
	}
}

// counts reports whether a statement is about decimal numbers which something else is
// said to be equal to: "open 1 = 2".
func (s *statement) counts(text string) bool {
	for _, v := range s.values() {
		if strings.HasPrefix(text[v.from:v.to], "0x") {
			return false
		}
	}
	return s.relations[0].is == "==" || s.relations[0].is == "!="
}

// wrong reports whether all relations hold, and what is the case where not.
func (s *statement) wrong() (note string, right bool) {
	left := &s.left
	right = true
	for i := range s.relations {
		r := &s.relations[i]
		right = right && !left.undefined && !r.right.undefined && holds(left.result, r.is, r.right.result)
		left = &r.right
	}
	for _, v := range s.values() {
		if v.undefined {
			return "it divides by 0", false
		}
		if len(v.operators) > 0 && note == "" {
			note = fmt.Sprintf("the result is %#x = %d", v.result, v.result)
		}
	}
	if note != "" {
		return note, right
	}
	return map[string]string{"equality": "they are not equal", "inequality": "they are equal", "comparison": "it is not"}[s.kind()], right
}

// shifts judges that what is shifted to the right is a hash of the run, by as much as
// its kernel does.
func (j *judge) shifts(p *passage, s *statement) {
	for _, v := range s.values() {
		if len(v.operators) != 1 || v.operators[0] != ">>" || v.numbers[0].value < heavy || v.numbers[0].value >= 1<<32 {
			continue
		}
		verdict, events, note := j.anyHash(v.numbers[0].value)
		j.state(p, v.numbers[0].span, "hash", verdict, events, note)
		if shift := uint64(j.x.header.GetLayout().GetDHashShift()); v.numbers[1].value != shift {
			j.state(p, v.numbers[1].span, "layout", Absent, nil, fmt.Sprintf("d_hash_shift is %d in this run's kernel", shift))
		}
	}
}

// buckets judges that a bucket is that of the hash beside it.
func (j *judge) buckets(p *passage) {
	for _, m := range bucketOf.FindAllStringSubmatchIndex(p.text, -1) {
		n := numbers(p.text, m)
		right := n[2] == n[5] && n[4] == uint64(j.x.header.GetLayout().GetDHashShift())
		j.redone(p, span{m[0], m[1]}, "bucket", right, "the bucket is not that of the hash")
	}
}

// pathLengths judges what a line gives as the lengths of paths.
func (j *judge) pathLengths(l *line) {
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

// difference judges what the page says that a difference of two addresses is: the
// offset of a field, or the length of what precedes a name in a path.
func (j *judge) difference(p *passage, s span, v *value, end int) {
	after := p.name[s.to:end]
	if o := offsetOf.FindStringSubmatch(after); o != nil {
		layout := j.x.header.GetLayout()
		j.redone(p, s, "offset", uint64(layout.GetInlineName()) == v.result && layout.GetInlineNameField() == o[1],
			fmt.Sprintf("%s is at %d in this run's kernel", layout.GetInlineNameField(), layout.GetInlineName()))
	}
	name, behind, ok := p.lengthOf(s.to, end)
	if !ok {
		return
	}
	length := uint64(len(plain(name)))
	right := length == v.result
	if is := lengthIs.FindStringSubmatch(p.name[behind:]); is != nil {
		right = right && decimal(is[1]) == length
	}
	j.redone(p, s, "length", right, fmt.Sprintf("%s has length %d, the difference is %d", quoted(name), length, v.result))
	if path, begins := j.pathAt(v.numbers[1].value, plain(name)); right && !begins {
		j.redone(p, s, "prefix", false, fmt.Sprintf("the path at %#x is %s", v.numbers[1].value, quoted(path)))
	}
}

// lengthNear is how far behind a difference may stand what it is the length of, bytes.
const lengthNear = 75

// lengthOf finds the text of which something before it is the length; behind is where
// it ends.
func (p *passage) lengthOf(from, end int) (name string, behind int, ok bool) {
	for _, m := range lengthOf.FindAllStringIndex(p.name[from:min(end, from+lengthNear)], -1) {
		if name, behind, ok = p.quotation(from + m[1]); ok {
			return name, behind, true
		}
	}
	return "", from, false
}

// quotation reads a code span or a quoted text at a place of the passage; behind is
// where it ends.
func (p *passage) quotation(from int) (content string, behind int, ok bool) {
	if content, ok = p.codeAt(from); ok {
		return content, from + len(content), true
	}
	if content, ok = quotation(p.name[from:]); ok {
		return content, from + 1 + len(content), true
	}
	return "", from, false
}

// pathAt returns the path of an open at an address, and whether one begins so; an
// address that no open has is not judged.
func (j *judge) pathAt(address uint64, prefix string) (path string, begins bool) {
	for _, u := range j.x.uses[address] {
		if u.Role == schema.RoleOpen && u.Phase == schema.Enter && u.field == nameField {
			if strings.HasPrefix(u.Name, prefix) {
				return u.Name, true
			}
			path = u.Name
		}
	}
	return path, path == ""
}
