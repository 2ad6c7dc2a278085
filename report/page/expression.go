// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"
	"slices"
	"strings"
)

// Bounds on what is read as one expression.
const (
	maxNested     = 32  // parentheses in parentheses
	maxAnnotation = 256 // tokens in the parentheses after an operand
)

// heavy is the smallest number that is an address or a hash rather than a count.
const heavy = 1 << 20

// value is an expression of a page, computed as the kernel would: 64 bits, what goes
// beyond is dropped.
type value struct {
	span
	result    uint64
	numbers   []token
	operators []string // as they are applied
	undefined bool     // a division by 0
}

// relation compares a value of a statement with the next one.
type relation struct {
	is    string // ==, !=, <, <=, >, >=
	right value
}

// statement is a value and what the page says it is. A fault is what of it is not
// understood.
type statement struct {
	left      value
	relations []relation
	fault     string
}

// span is from the first to the last number.
func (s *statement) span() span {
	if n := len(s.relations); n > 0 {
		return span{s.left.from, s.relations[n-1].right.to}
	}
	return s.left.span
}

// values are the left one and those it is compared with.
func (s *statement) values() []*value {
	out := []*value{&s.left}
	for i := range s.relations {
		out = append(out, &s.relations[i].right)
	}
	return out
}

func (s *statement) computes() bool {
	return slices.ContainsFunc(s.values(), func(v *value) bool { return len(v.operators) > 0 })
}

// isHeavy reports whether an address or a hash is in it.
func (s *statement) isHeavy() bool {
	return slices.ContainsFunc(s.values(), func(v *value) bool {
		return slices.ContainsFunc(v.numbers, func(n token) bool { return n.value >= heavy })
	})
}

// parser reads the statements of a passage.
type parser struct {
	text   string
	code   bool // line breaks part what stands on the lines
	tokens []token
	i      int
	inner  []span // annotations, indices of tokens
	out    []statement
}

// statementsOf finds all of a text; in code a line ends what it does not leave open.
func statementsOf(text string, code bool) []statement {
	p := &parser{text: text, code: code, tokens: scan(text)}
	p.all(len(p.tokens))
	for len(p.inner) > 0 {
		in := p.inner[0]
		p.inner = p.inner[1:]
		q := &parser{text: text, code: code, tokens: p.tokens[:in.to], i: in.from}
		q.all(in.to)
		p.out, p.inner = append(p.out, q.out...), append(p.inner, q.inner...)
	}
	slices.SortStableFunc(p.out, func(a, b statement) int { return a.left.from - b.left.from })
	return p.out
}

func (p *parser) all(end int) {
	first := p.i
	for p.i < end {
		if s, ok := p.statement(first); ok {
			p.out = append(p.out, s)
		} else {
			p.i++
		}
	}
}

// at returns a token some places on; a break where there is none.
func (p *parser) at(on int) token {
	if i := p.i + on; i >= 0 && i < len(p.tokens) {
		return p.tokens[i]
	}
	return token{sort: breakToken}
}

// newLine reports whether a line ends before a token, in code.
func (p *parser) newLine(on int) bool {
	i := p.i + on
	return p.code && i > 0 && i < len(p.tokens) && strings.Contains(p.text[p.tokens[i-1].to:p.tokens[i].from], "\n")
}

// mark is how far a parser has come.
type mark struct{ i, inner int }

func (p *parser) mark() mark    { return mark{p.i, len(p.inner)} }
func (p *parser) reset(to mark) { p.i, p.inner = to.i, p.inner[:to.inner] }

// statement reads one that begins at this token. ok is false, and nothing read, where
// none does, or a number stands alone.
func (p *parser) statement(first int) (s statement, ok bool) {
	begin, hangs := p.mark(), p.hangs(first)
	if p.isCall(first) {
		return s, false
	}
	if s.left, ok = p.value(0); !ok {
		p.reset(begin)
		return s, false
	}
	for p.compared(&s) {
	}
	if s.fault == "" {
		s.fault = p.faultAfter(&s)
	}
	if hangs {
		sign := p.tokens[begin.i-1]
		if fault := faultBefore(&s, p.text[sign.from:sign.to]); s.fault == "" {
			s.fault = fault
		}
		hangs = len(s.left.operators) == 0
	}
	if ok = s.fault != "" || !hangs && (len(s.relations) > 0 || s.computes()); !ok {
		p.reset(begin)
	}
	return s, ok
}

// isCall reports whether the arguments of a call begin at this token.
func (p *parser) isCall(first int) bool {
	t, before := p.at(0), p.at(-1)
	return p.i > first && t.sort == openToken && before.sort == wordToken && before.to == t.from
}

// hangs reports whether the operator before this token lacks its left side: it is no
// bullet and no sign.
func (p *parser) hangs(first int) bool {
	if p.i-2 < first || p.at(-1).sort != operatorToken || p.newLine(-1) {
		return false
	}
	left := p.at(-2)
	return left.sort == wordToken || left.sort == closeToken || left.sort == numberToken
}

var meansEqual = []string{"is", "gives", "yields", "makes"}

// compared reads one more relation of a statement.
func (p *parser) compared(s *statement) bool {
	t := p.at(0)
	is := t.text
	if t.sort == wordToken && slices.Contains(meansEqual, t.text) && s.computes() && len(s.relations) == 0 {
		is = "=="
	} else if t.sort != relationToken {
		return false
	}
	begin := p.mark()
	p.i++
	right, ok := p.value(0)
	if ok {
		s.relations = append(s.relations, relation{is, right})
		return true
	}
	p.reset(begin)
	if t.sort == relationToken && (is == "==" || is == "!=") && s.isHeavy() {
		s.fault = "what stands right of " + p.text[t.from:t.to] + " is no number"
	}
	return false
}

// faultBefore says that the operator before a statement has no number at its left. A
// dash may part a sentence.
func faultBefore(s *statement, sign string) string {
	if s.isHeavy() && (!isDash(sign) || len(s.relations) > 0 && len(s.left.operators) == 0) {
		return "what stands left of " + sign + " is no number"
	}
	return ""
}

// faultAfter says that the operator after a statement has no number at its right, or
// that a difference has no result.
func (p *parser) faultAfter(s *statement) string {
	sign := p.at(0)
	if sign.sort == operatorToken && s.isHeavy() && !p.newLine(0) && (!isDash(p.text[sign.from:sign.to]) || p.relationAhead()) {
		return "what stands right of " + p.text[sign.from:sign.to] + " is no number"
	}
	if len(s.relations) == 0 && s.isHeavy() && slices.ContainsFunc(s.left.operators, func(o string) bool { return o != "/" && o != "&" }) {
		return "it has no result"
	}
	return ""
}

// isDash reports whether an operator is written as something that is found in prose,
// too.
func isDash(sign string) bool { return strings.Contains("- – — ‐ ‑ ‒ ― / & · *", sign) }

// relationAhead reports whether the clause goes on to say what something is.
func (p *parser) relationAhead() bool {
	for on := 1; on < 12; on++ {
		switch t := p.at(on); {
		case t.sort == relationToken && t.text == "==":
			return true
		case t.sort == breakToken || p.newLine(on):
			return false
		}
	}
	return false
}

// strength orders the operators as C does.
var strength = map[string]int{"^": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}

// value reads an expression of operators at least so strong. What was read is given
// back where it is none.
func (p *parser) value(depth int) (value, bool) { return p.stronger(1, depth) }

func (p *parser) stronger(least, depth int) (value, bool) {
	begin := p.mark()
	left, ok := p.operand(depth)
	if !ok {
		p.reset(begin)
		return left, false
	}
	for {
		t := p.at(0)
		if t.sort != operatorToken || strength[t.text] < least || p.newLine(0) && p.text[t.from:t.to] != "−" {
			return left, true
		}
		back := p.mark()
		p.i++
		right, ok := p.stronger(strength[t.text]+1, depth)
		if !ok || p.text[t.from:t.to] == "—" && (left.result < heavy || right.result < heavy) {
			p.reset(back)
			return left, true
		}
		left = apply(left, t.text, right)
	}
}

var dentryWord = regexp.MustCompile(`^D\d+$`)

// operand reads a number or an expression in parentheses, and past what the page says
// of it.
func (p *parser) operand(depth int) (value, bool) {
	for p.at(0).sort == wordToken && dentryWord.MatchString(p.at(0).text) {
		p.i++
	}
	t := p.at(0)
	switch {
	case t.sort == numberToken:
		p.i++
		v := value{span: t.span, result: t.value, numbers: []token{t}}
		p.annotations()
		return v, true
	case t.sort == operatorToken && t.text == "-" && p.at(1).sort == numberToken && p.at(1).from == t.to:
		n := p.at(1)
		p.i += 2
		p.annotations()
		return value{span: span{t.from, n.to}, result: -n.value, numbers: []token{n}}, true
	case t.sort == openToken && depth < maxNested:
		p.i++
		v, ok := p.value(depth + 1)
		if !ok || p.at(0).sort != closeToken {
			return v, false
		}
		v.from, v.to = t.from, p.at(0).to
		p.i++
		p.annotations()
		return v, true
	}
	return value{}, false
}

// annotations reads past what stands behind an operand and is no part of the
// expression: a unit, ids of events, words in parentheses.
func (p *parser) annotations() {
	for {
		switch t := p.at(0); {
		case t.sort == wordToken && (t.text == "bytes" || t.text == "byte" || t.text == "B" || t.text[:min(1, len(t.text))] == "#"):
			p.i++
		case t.sort == openToken:
			end := p.closing()
			if end < 0 {
				return
			}
			p.inner = append(p.inner, span{p.i + 1, end})
			p.i = end + 1
		default:
			return
		}
	}
}

// closing finds the end of the parentheses that begin here; −1 for none.
func (p *parser) closing() int {
	depth := 0
	for i := p.i; i < min(len(p.tokens), p.i+maxAnnotation); i++ {
		switch p.tokens[i].sort {
		case openToken:
			depth++
		case closeToken:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// apply computes one operation.
func apply(left value, operator string, right value) value {
	v := value{span: span{left.from, right.to}, numbers: append(slices.Clip(left.numbers), right.numbers...),
		operators: append(append(slices.Clip(left.operators), right.operators...), operator), undefined: left.undefined || right.undefined}
	a, b := left.result, right.result
	switch operator {
	case "+":
		v.result = a + b
	case "-":
		v.result = a - b
	case "*":
		v.result = a * b
	case "<<":
		v.result = a << b
	case ">>":
		v.result = a >> b
	case "&":
		v.result = a & b
	case "^":
		v.result = a ^ b
	case "/", "%":
		if b == 0 {
			v.undefined = true
		} else if v.result = a / b; operator == "%" {
			v.result = a % b
		}
	}
	return v
}

// holds reports whether a value stands so to another one.
func holds(a uint64, is string, b uint64) bool {
	switch is {
	case "==":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	}
	return a >= b
}
