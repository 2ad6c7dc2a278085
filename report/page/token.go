// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"
	"strconv"
	"strings"
)

// span is a stretch of a line's text, bytes.
type span struct{ from, to int }

// addressToken is a kernel address on a line: more than 32 bits, or without 0x the 16
// digits of one in the kernel's half.
var addressToken = regexp.MustCompile(`\b(?:0[xX][0-9a-fA-F]{9,16}|[fF]{2}[0-9a-fA-F]{14})\b`)

// brokenToken is what was to be one.
var brokenToken = regexp.MustCompile(`\b(?:[1-9a-zA-Z]x[0-9a-fA-F]{9,16}|0[xX][0-9a-fA-F]{17,})\b`)

// idToken is one event, or the entry and the return of a call.
var idToken = regexp.MustCompile(`#(\d+)(?:[–-]#(\d+))?`)

// cite is ids of events as a line gives them.
type cite struct {
	span
	ids []uint64 // the last is the return's
}

func citesOf(text string) []cite {
	var out []cite
	for _, m := range idToken.FindAllStringSubmatchIndex(text, -1) {
		c := cite{span: span{m[0], m[1]}}
		for g := 2; g < len(m); g += 2 {
			if m[g] >= 0 {
				c.ids = append(c.ids, decimal(text[m[g]:m[g+1]]))
			}
		}
		out = append(out, c)
	}
	return out
}

// ofSpan returns the ids given for what stands at a span: the next ones on the line,
// else the last ones before it.
func ofSpan(cites []cite, s span) []uint64 {
	for _, c := range cites {
		if c.from >= s.to {
			return c.ids
		}
	}
	if n := len(cites); n > 0 {
		return cites[n-1].ids
	}
	return nil
}

// allOf returns the ids of all of them; nil for none.
func allOf(cites []cite) []uint64 {
	var out []uint64
	for _, c := range cites {
		out = append(out, c.ids...)
	}
	return out
}

// decimal and hexadecimal read numbers that a pattern admitted; too large a one is
// that of no event.
func decimal(s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 1<<64 - 1
	}
	return v
}

// number reads a decimal number, or a hexadecimal one that begins with 0x.
func number(s string) uint64 {
	if strings.HasPrefix(strings.ToLower(s), "0x") {
		return hexadecimal(s)
	}
	return decimal(s)
}

func hexadecimal(s string) uint64 {
	v, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s), "0x"), 16, 64)
	if err != nil {
		return 1<<64 - 1
	}
	return v
}

// quotation reads a quoted text or a Markdown code span at the start of s. ok is false
// where there is none.
func quotation(s string) (content string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		content, _, ok = strings.Cut(s[1:], `"`)
		return content, ok
	}
	return codeSpan(s)
}

// sameName reports whether a code span shows the name, which is padded where it begins
// or ends with a space.
func sameName(content, name string) bool {
	return content == name || name != "" && strings.Trim(name, " ") == "" && strings.Trim(content, " ") == ""
}

// codeSpan reads a Markdown code span at the start of s.
func codeSpan(s string) (content string, ok bool) {
	rest := strings.TrimLeft(s, "`")
	fence := s[:len(s)-len(rest)]
	if fence == "" {
		return "", false
	}
	for from := 0; ; {
		i := strings.Index(rest[from:], fence)
		if i < 0 {
			return "", false
		}
		end := from + i
		run := len(rest[end:]) - len(strings.TrimLeft(rest[end:], "`"))
		if run == len(fence) {
			content = rest[:end]
			break
		}
		from = end + run
	}
	if len(content) > 1 && content[0] == ' ' && content[len(content)-1] == ' ' && strings.Trim(content, " ") != "" {
		content = content[1 : len(content)-1]
	}
	return content, true
}

// want remembers what is to be looked for in the events.
func (p *Page) want(l *line) {
	if l.block == source {
		return
	}
	for _, s := range addressToken.FindAllString(l.text, -1) {
		p.wanted[hexadecimal(s)] = true
	}
	for _, pattern := range []*regexp.Regexp{hashAlone, hashUnder, shifted} {
		for _, m := range pattern.FindAllStringSubmatch(l.text, -1) {
			p.wanted[number(m[len(m)-1])] = true
		}
	}
	for _, c := range citesOf(l.text) {
		for _, id := range c.ids {
			p.cited[id] = true
		}
	}
}
