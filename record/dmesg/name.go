// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// maxName bounds the length of a name in bytes: PATH_MAX without the terminating NUL.
const maxName = 4095

// plainName undoes the escapes of the kernel log and of dtrec replay. If some backslash does not begin a
// valid escape, the text has none and is returned as it is.
func plainName(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for rest := s; rest != ""; {
		if rest[0] != '\\' {
			out = append(out, rest[0])
			rest = rest[1:]
			continue
		}
		r, multibyte, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil {
			return s
		}
		if multibyte {
			out = append(out, string(r)...)
		} else {
			out = append(out, byte(r))
		}
		rest = tail
	}
	return string(out)
}

// fromCodeSpan returns the name in a Markdown code span if the text begins with one that is followed by a blank
// or nothing; the rest belongs to the page. Otherwise it returns the text.
func fromCodeSpan(printed string) string {
	rest := strings.TrimLeft(printed, "`")
	fence := printed[:len(printed)-len(rest)]
	end := spanEnd(rest, fence)
	if fence == "" || end < 0 {
		return printed
	}
	content, after := rest[:end], rest[end+len(fence):]
	if after != "" && after[0] != ' ' {
		return printed
	}
	if strings.HasPrefix(content, " ") && strings.HasSuffix(content, " ") && strings.Trim(content, " ") != "" {
		content = content[1 : len(content)-1]
	}
	return content
}

// spanEnd returns the index of the run of backticks that is as long as the fence, or -1.
func spanEnd(text, fence string) int {
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '`')
		if i < 0 {
			return -1
		}
		at += i
		run := len(text[at:]) - len(strings.TrimLeft(text[at:], "`"))
		if run == len(fence) {
			return at
		}
		at += run
	}
}

// setName gives the event a complete name.
func setName(e *schema.Event, printed string) {
	name := plainName(printed)
	e.Columns = e.Columns.With(schema.ColumnKey)
	e.NameLen = uint32(len(name))
	e.Name = name[:min(len(name), maxName)]
}

// setComponent gives the event, whose NameLen is known, that many bytes of the printed name: a lookup prints
// the rest of the path.
func setComponent(e *schema.Event, printed string) {
	name := plainName(printed)
	e.Columns = e.Columns.With(schema.ColumnKey)
	e.Name = name[:min(uint64(len(name)), uint64(e.NameLen), maxName)]
}

// setAddress gives the event the address of its name. An ERR_PTR is not an address; at the return of an open
// it is the returned value. It returns false for the text that %p prints instead of a pointer.
func setAddress(e *schema.Event, printed string) bool {
	v, ok := address(printed)
	errno := (&schema.Event{Ret: v}).Errno() != 0
	switch {
	case ok && errno && e.Role.Is(schema.TraitReturnsAddress) && e.Phase == schema.Exit:
		e.Columns, e.Ret = e.Columns.With(schema.ColumnRet), v
	case ok && !errno:
		e.Columns, e.NameAddr = e.Columns.With(schema.ColumnNameAddr), v
	}
	return ok
}

// address parses 16 hexadecimal digits, with or without 0x. A value of 32 bits or fewer other than 0 is not
// an address.
func address(printed string) (uint64, bool) {
	v, err := strconv.ParseUint(strings.TrimPrefix(printed, "0x"), 16, 64)
	if err != nil || v != 0 && v>>32 == 0 {
		return 0, false
	}
	return v, true
}
