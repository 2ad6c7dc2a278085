// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/dtrec/dtrec/schema"
)

// lineWidth is what a line of NewText fits in; what is cut out of a name for it is …
const lineWidth = 120

const (
	narrowTask   = 16 // of comm/tid
	narrowCall   = 22 // of the nested call
	narrowIndent = 8  // calls deeper than that are not indented any further
	leastName    = 12 // of a name, however narrow it gets
)

// narrow is text without what a reader of most lines can do without: symbols, addresses and
// hashes. A dentry is its number.
type narrow struct{ text }

func (t *narrow) begin(dst []byte, h *schema.Header) []byte {
	t.symbols = newSymbols(h)
	dst = append(append(dst, t.dim...), "      id       seconds task             call                   values | name"...)
	return append(append(dst, t.plain...), '\n')
}

func (t *narrow) event(dst []byte, s *Step) []byte {
	e := s.Event
	from := len(dst)
	dst = append(appendID(dst, e.ID, 8), ' ')
	dst = appendPadded(dst, e.Time/1e9, 6)
	dst = append(append(dst, '.'), 0, 0, 0, 0, 0, 0, 0, 0, 0)
	putDigits(dst[len(dst)-9:], e.Time%1e9)
	dst = append(dst[:len(dst)-3], ' ')
	dst = t.column(dst, narrowTask, func(dst []byte) []byte {
		if e.Comm == "" && e.TID == 0 {
			return append(dst, '-')
		}
		return strconv.AppendUint(append(appendPrintable(dst, e.Comm), '/'), uint64(e.TID), 10)
	})
	dst = t.column(dst, narrowCall, func(dst []byte) []byte {
		dst = append(appendSpaces(dst, 2*min(s.Depth, narrowIndent)), mark(e.Role, e.Phase)...)
		return append(dst, e.Role.Label()...)
	})
	dst = t.facts(t.pairing(t.result(t.object(dst, s), s), s), e)
	if name := s.name(); name != "" {
		room := lineWidth - utf8.RuneCount(dst[from:]) + len("\x1b[1m")*bytes.Count(dst[from:], []byte("\x1b")) - len(" | ")
		dst = append(append(dst, " | "...), t.bold...)
		dst = appendFitting(dst, name, max(room, leastName))
		if dst = append(dst, t.plain...); e.NameCut() {
			dst = append(dst, "…"...)
		}
	}
	return append(dst, '\n')
}

// column appends what add does, and spaces up to a width.
func (t *narrow) column(dst []byte, width int, add func([]byte) []byte) []byte {
	from := len(dst)
	dst = add(dst)
	return append(appendSpaces(dst, width-utf8.RuneCount(dst[from:])), ' ')
}

// object is the dentry of the event, and whether it has an inode.
func (t *narrow) object(dst []byte, s *Step) []byte {
	e := s.Event
	switch {
	case !e.Columns.Has(schema.ColumnDentry):
	case e.Dentry == 0:
		if e.Errno() == 0 {
			dst = append(dst, " NULL"...)
		}
	case s.Object == nil:
		dst = append(dst, " ?"...)
	default:
		if s.Object.Seq != 0 {
			dst = strconv.AppendUint(append(dst, " D"...), s.Object.Seq, 10)
		} else {
			dst = appendHex(append(dst, ' '), e.Dentry)
		}
		if negative(e) {
			dst = append(dst, " negative"...)
		}
	}
	return dst
}

// result is what a call came to, and how long it took.
func (t *narrow) result(dst []byte, s *Step) []byte {
	e := s.Event
	if e.Columns.Has(schema.ColumnRet) {
		switch n := e.Errno(); {
		case e.Role.Is(schema.ReturnsStatus):
			dst = append(append(dst, ' '), schema.WaitStatus(e.Ret).String()...)
		case n != 0:
			dst = append(append(append(dst, ' '), t.bold...), errnoText(n)...)
			dst = append(dst, t.plain...)
		}
	}
	if e.Columns.Has(schema.ColumnChild) {
		dst = strconv.AppendUint(append(dst, " child "...), uint64(e.Child), 10)
	}
	if e.Entered != 0 && e.Entered <= e.Time {
		dst = strconv.AppendFloat(append(dst, ' '), float64(e.Time-e.Entered)/1e3, 'f', 1, 64)
		dst = append(dst, " µs"...)
	}
	return dst
}

func errnoText(n int) string {
	if name := schema.ErrnoName(n); name != "" {
		return name
	}
	return strconv.Itoa(-n)
}

// told are the facts that a narrow line has.
const told = schema.FactMountpoint | schema.FactUnhashed | schema.FactInodeUnknown | schema.FactNameUnreadable | schema.FactUnwatched | schema.FactExchange

func (t *narrow) facts(dst []byte, e *schema.Event) []byte {
	if f := e.Facts & told; f != 0 {
		dst = append(appendFacts(append(dst, " ["...), f, ",", ""), ']')
	}
	return dst
}

// name is the name or path that a line ends with: that of the event, at the end of a path
// call its path.
func (s *Step) name() string {
	if s.Call != nil && s.Event.Phase == schema.Exit && callRoles.Has(s.Event.Role) {
		return s.Call.Path
	}
	return s.Event.Name
}

// appendFitting appends a name as it is printed, without its middle where it has more than
// width characters.
func appendFitting(dst []byte, name string, width int) []byte {
	shown := Printable(name)
	n := utf8.RuneCountInString(shown)
	if n <= width {
		return append(dst, shown...)
	}
	runes := []rune(shown)
	head := (width - 1) / 3
	dst = append(append(dst, string(runes[:head])...), "…"...)
	return append(dst, string(runes[n-(width-1-head):])...)
}
