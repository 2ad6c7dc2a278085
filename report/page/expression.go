// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds on a single expression.
const (
	maxNested     = 32  // nested parentheses
	maxAnnotation = 256 // tokens in the parentheses after an operand
)

// value is an expression on a page, computed in 64 bits with overflow dropped, as the kernel does.
type value struct {
	from, to  int // range of tokens
	result    uint64
	numbers   []token
	operators []string // in C's notation, in the order in which they are applied
	undefined bool     // a division by 0
}

// statement is one or more values and the relations that the page states between them. fault says what
// cannot be understood; empty if all can be.
type statement struct {
	values    []value
	relations []string // between each value and the next
	fault     string
}

func (s *statement) computes() bool {
	return slices.ContainsFunc(s.values, func(v value) bool { return len(v.operators) > 0 })
}

// isHeavy reports whether a number of the statement is large enough to be an address or a hash. With bits
// it also reports true if a number is hexadecimal.
func (s *statement) isHeavy(bits bool) bool {
	return slices.ContainsFunc(s.values, func(v value) bool {
		return slices.ContainsFunc(v.numbers, func(t token) bool { return t.value >= heavy || bits && t.bits })
	})
}

// wrong says why the statement is false; empty if it is true.
func (s *statement) wrong() string {
	for i, is := range s.relations {
		switch a, b := s.values[i], s.values[i+1]; {
		case a.undefined || b.undefined:
			return "divided by 0"
		case !relations[is](a.result, b.result):
			return "the left side is " + spell(a.result) + ", the right " + spell(b.result)
		}
	}
	return ""
}

// spell prints a number in hexadecimal, and a small one also in decimal.
func spell(v uint64) string {
	if v >= heavy {
		return fmt.Sprintf("%#x", v)
	}
	return fmt.Sprintf("%#x = %d", v, v)
}

// relations maps the relations, in C's notation, to their meaning.
var relations = map[string]func(a, b uint64) bool{
	"==": func(a, b uint64) bool { return a == b },
	"!=": func(a, b uint64) bool { return a != b },
	"<":  func(a, b uint64) bool { return a < b },
	"<=": func(a, b uint64) bool { return a <= b },
	">":  func(a, b uint64) bool { return a > b },
	">=": func(a, b uint64) bool { return a >= b },
}

// operators holds the operators of C. A higher strength binds tighter.
var operators = map[string]struct {
	strength int
	apply    func(a, b uint64) uint64
}{
	"^":  {1, func(a, b uint64) uint64 { return a ^ b }},
	"&":  {2, func(a, b uint64) uint64 { return a & b }},
	"<<": {3, func(a, b uint64) uint64 { return a << b }},
	">>": {3, func(a, b uint64) uint64 { return a >> b }},
	"+":  {4, func(a, b uint64) uint64 { return a + b }},
	"-":  {4, func(a, b uint64) uint64 { return a - b }},
	"*":  {5, func(a, b uint64) uint64 { return a * b }},
	"/":  {5, func(a, b uint64) uint64 { return a / max(b, 1) }}, // division by 0: see apply
	"%":  {5, func(a, b uint64) uint64 { return a % max(b, 1) }},
}

// parser reads the statements of a passage.
type parser struct {
	tokens []token
	i      int
	inner  []span // annotations, as ranges of tokens
}

// statements returns all statements of a passage, including those in annotations. What was read as an
// expression without stating anything is skipped as a whole, since no part of it can state more.
func statements(tokens []token) []statement {
	var out []statement
	for todo := []span{{0, len(tokens)}}; len(todo) > 0; todo = todo[1:] {
		p := &parser{tokens: tokens[:todo[0].to], i: todo[0].from}
		for p.i < len(p.tokens) {
			begin := p.i
			if s, ok := p.statement(todo[0].from); ok {
				out = append(out, s)
			}
			p.i = max(p.i, begin+1)
		}
		todo = append(todo, p.inner...)
	}
	return out
}

func (p *parser) at(on int) token {
	if i := p.i + on; i >= 0 && i < len(p.tokens) {
		return p.tokens[i]
	}
	return token{kind: stop}
}

// statement reads a statement that begins at the current token. ok is false if none does, or if a number or
// an expression stands alone.
func (p *parser) statement(first int) (s statement, ok bool) {
	begin, marked := p.i, len(p.inner)
	if before := p.at(-1); begin > first && p.at(0).kind == open && before.kind == word && before.to == p.at(0).from {
		return s, false // the arguments of a function call
	}
	left, ok := p.value(1, 0)
	if !ok {
		p.inner = p.inner[:marked]
		return s, false
	}
	s.values = []value{left}
	for p.related(&s) {
	}
	if s.fault == "" && begin-2 >= first && p.hangs(&s, begin) {
		s.fault = "what stands left of " + p.tokens[begin-1].text + " is no number"
	}
	if s.fault == "" {
		s.fault = p.unfinished(&s)
	}
	return s, s.fault != "" || len(s.relations) > 0 && (s.computes() || s.isHeavy(true))
}

// related reads another relation of a statement.
func (p *parser) related(s *statement) bool {
	t := p.at(0)
	verb := t.kind == relation && isVerb(t.text)
	if t.kind != relation || verb && !s.computes() && t.text != "equals" {
		return false
	}
	p.i++
	right, ok := p.value(1, 0)
	if ok {
		s.values, s.relations = append(s.values, right), append(s.relations, t.sign)
		return true
	}
	p.i--
	if !verb && (t.sign == "==" || t.sign == "!=") && s.isHeavy(false) {
		s.fault = "what stands right of " + t.text + " is no number"
	}
	return false
}

// hangs reports whether an operator before the statement lacks its left operand. A dash may be punctuation
// instead.
func (p *parser) hangs(s *statement, begin int) bool {
	sign, left := p.tokens[begin-1], p.tokens[begin-2]
	if sign.kind != operator || left.kind == stop || left.kind == operator || !s.isHeavy(false) {
		return false
	}
	return !isDash(sign.text) || len(s.relations) > 0 && len(s.values[0].operators) == 0
}

// unfinished returns a fault if the operator after a statement has no number on its right, or if a
// calculation has no result.
func (p *parser) unfinished(s *statement) string {
	if !s.isHeavy(false) {
		return ""
	}
	sign := p.at(0)
	if sign.kind == operator && (!isDash(sign.text) || p.relationAhead()) {
		return "what stands right of " + sign.text + " is no number"
	}
	if len(s.relations) == 0 && slices.ContainsFunc(s.values[0].operators, func(o string) bool { return o != "/" && o != "&" }) {
		return "it has no result"
	}
	return ""
}

// isDash reports whether the sign of an operator is also used in prose.
func isDash(sign string) bool { return strings.Contains("- – — ‐ ‑ ‒ ― / & · *", sign) }

// isVerb reports whether a relation is written as a word.
func isVerb(sign string) bool { return sign[0] >= 'a' && sign[0] <= 'z' }

// relationAhead reports whether the clause goes on with an equality sign.
func (p *parser) relationAhead() bool {
	for on := 1; on < 12; on++ {
		if t := p.at(on); t.kind == relation && t.sign == "==" && !isVerb(t.text) {
			return true
		} else if t.kind == stop {
			return false
		}
	}
	return false
}

// value reads an expression whose operators have at least the given strength.
func (p *parser) value(least, depth int) (value, bool) {
	begin := p.i
	left, ok := p.operand(depth)
	if !ok {
		p.i = begin
		return left, false
	}
	for {
		t := p.at(0)
		if t.kind != operator || operators[t.sign].strength < least {
			return left, true
		}
		back := p.i
		p.i++
		right, ok := p.value(operators[t.sign].strength+1, depth)
		if !ok || t.text == "—" && min(left.result, right.result) < heavy {
			p.i = back
			return left, true
		}
		left = apply(left, t.sign, right)
	}
}

// operand reads a number or an expression in parentheses, and skips its annotations.
func (p *parser) operand(depth int) (v value, ok bool) {
	if p.at(0).kind == word && isDentry(p.at(0).text) {
		p.i++
	}
	begin, t := p.i, p.at(0)
	switch next := p.at(1); {
	case t.kind == number:
		v = value{result: t.value, numbers: []token{t}}
		p.i++
	case t.kind == operator && t.sign == "-" && next.kind == number && next.from == t.to:
		v = value{result: -next.value, numbers: []token{next}}
		p.i += 2
	case t.kind == open && depth < maxNested:
		p.i++
		if v, ok = p.value(1, depth+1); !ok || p.at(0).kind != shut {
			return v, false
		}
		p.i++
	default:
		return v, false
	}
	v.from, v.to = begin, p.i
	p.annotations()
	return v, true
}

// isDentry reports whether a word is the number of a dentry, as in D17.
func isDentry(w string) bool {
	return len(w) > 1 && w[0] == 'D' && strings.Trim(w[1:], "0123456789") == ""
}

// annotations skips what follows an operand without being part of the expression: a unit, event ids, and
// text in parentheses, which it keeps in p.inner.
func (p *parser) annotations() {
	for {
		switch t := p.at(0); {
		case t.kind == word && (t.text == "bytes" || t.text == "byte" || t.text[0] == '#'):
			p.i++
			continue
		case t.kind != open:
			return
		}
		end, depth := p.i, 1
		for depth > 0 {
			if end++; end == min(len(p.tokens), p.i+maxAnnotation) {
				return
			}
			switch p.tokens[end].kind {
			case open:
				depth++
			case shut:
				depth--
			}
		}
		p.inner = append(p.inner, span{p.i + 1, end})
		p.i = end + 1
	}
}

// apply computes one operation. It reuses the slices of left.
func apply(left value, sign string, right value) value {
	left.to, left.undefined = right.to, left.undefined || right.undefined || (sign == "/" || sign == "%") && right.result == 0
	left.numbers = append(left.numbers, right.numbers...)
	left.operators = append(append(left.operators, right.operators...), sign)
	left.result = operators[sign].apply(left.result, right.result)
	return left
}
