// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// sort is what a token of a passage is.
type sort uint8

const (
	wordToken     sort = iota // anything that is no part of an expression
	numberToken               // text is its digits
	operatorToken             // text is the operator as C has it
	relationToken             // text is ==, !=, <, <=, >, >=
	openToken
	closeToken
	breakToken // ends an expression: a comma, a bar, a full stop
)

// token is a piece of a passage.
type token struct {
	span
	sort  sort
	text  string
	value uint64 // of a number
}

// signs are the ways to write operators and relations, a longer one before what it
// begins with.
var signs = []struct {
	text string
	sort sort
	is   string
}{
	{"->", breakToken, ""}, {"=>", breakToken, ""}, {"→", breakToken, ""}, {"...", breakToken, ""},
	{"===", relationToken, "=="}, {"==", relationToken, "=="}, {":=", relationToken, "=="}, {"!=", relationToken, "!="},
	{"<=", relationToken, "<="}, {">=", relationToken, ">="}, {">>", operatorToken, ">>"}, {"<<", operatorToken, "<<"},
	{"=", relationToken, "=="}, {"＝", relationToken, "=="}, {"≡", relationToken, "=="}, {"≠", relationToken, "!="}, {"≢", relationToken, "!="},
	{"<", relationToken, "<"}, {">", relationToken, ">"}, {"≤", relationToken, "<="}, {"≥", relationToken, ">="}, {"≫", operatorToken, ">>"}, {"≪", operatorToken, "<<"},
	{"+", operatorToken, "+"}, {"＋", operatorToken, "+"}, {"−", operatorToken, "-"}, {"-", operatorToken, "-"}, {"–", operatorToken, "-"}, {"—", operatorToken, "-"},
	{"‐", operatorToken, "-"}, {"‑", operatorToken, "-"}, {"‒", operatorToken, "-"}, {"―", operatorToken, "-"}, {"﹣", operatorToken, "-"}, {"－", operatorToken, "-"},
	{"*", operatorToken, "*"}, {"×", operatorToken, "*"}, {"·", operatorToken, "*"}, {"⋅", operatorToken, "*"}, {"∙", operatorToken, "*"},
	{"/", operatorToken, "/"}, {"÷", operatorToken, "/"}, {"∕", operatorToken, "/"}, {"⁄", operatorToken, "/"},
	{"%", operatorToken, "%"}, {"&", operatorToken, "&"}, {"^", operatorToken, "^"},
	{"(", openToken, ""}, {"[", openToken, ""}, {"{", openToken, ""}, {")", closeToken, ""}, {"]", closeToken, ""}, {"}", closeToken, ""},
	{",", breakToken, ""}, {";", breakToken, ""}, {"|", breakToken, ""}, {".", breakToken, ""}, {":", breakToken, ""}, {"?", breakToken, ""},
}

// wordSigns are operators and relations in words.
var wordSigns = map[string]token{
	"minus": {sort: operatorToken, text: "-"}, "plus": {sort: operatorToken, text: "+"}, "times": {sort: operatorToken, text: "*"},
	"equals": {sort: relationToken, text: "=="}, "mod": {sort: operatorToken, text: "%"},
}

var (
	// wordRun is what no blank and no sign parts: a number, a name, a version.
	wordRun   = regexp.MustCompile(`^(?:#\d+(?:[–-]#\d+)?|[\p{L}\p{N}_#@\x1a\\]+(?:[.:][\p{L}\p{N}_#@\x1a]+)*)`)
	wholeHex  = regexp.MustCompile(`^0[xX][0-9a-fA-F]+$`)
	bareHex   = regexp.MustCompile(`^[fF]{2}[0-9a-fA-F]{14}$`)
	wholeTens = regexp.MustCompile(`^[0-9]+$`)
)

// silentSigns may stand around a number and mean nothing: quotes, dollars of a formula,
// and what was to be emphasis.
const silentSigns = "\"'“”‘’$~`"

// scan parts a text into tokens; white space and quotes are none.
func scan(text string) []token {
	var out []token
	for from := 0; from < len(text); {
		rest := text[from:]
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(r) || r == '\u200b' || r == '\u2060' || r == '\u00ad' || strings.ContainsRune(silentSigns, r):
			from += size
			continue
		}
		t := signAt(rest)
		if w := wordRun.FindString(rest); w != "" {
			t = wordOf(w)
		} else if t.to == 0 {
			t = token{span: span{0, size}}
		}
		t.from, t.to = t.from+from, t.to+from
		out = append(out, t)
		from = t.to
	}
	return out
}

// signAt returns the sign that a text begins with.
func signAt(text string) token {
	for _, s := range signs {
		if strings.HasPrefix(text, s.text) {
			return token{span: span{0, len(s.text)}, sort: s.sort, text: s.is}
		}
	}
	return token{}
}

// wordOf is the token of a word or a number.
func wordOf(w string) token {
	t := token{span: span{0, len(w)}, text: w}
	if sign, ok := wordSigns[strings.ToLower(w)]; ok {
		t.sort, t.text = sign.sort, sign.text
	}
	switch {
	case wholeHex.MatchString(w), bareHex.MatchString(w):
		t.sort, t.value = numberToken, hexadecimal(w)
	case wholeTens.MatchString(w):
		t.sort, t.value = numberToken, decimal(w)
	}
	return t
}
