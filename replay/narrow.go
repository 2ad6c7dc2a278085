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
type narrow struct {
	text
	start lineStart
	name  string // of the last line with one
	shown []byte // that name, as it stands in the line
}

func (t *narrow) begin(dst []byte, h *schema.Header) []byte {
	t.symbols = newSymbols(h)
	for _, info := range schema.Catalogue() {
		for phase := schema.Enter; phase <= schema.Whole; phase++ {
			for depth := range readyDepths {
				t.calls[info.Role][phase][depth] = string(t.call(nil, info.Role, phase, depth))
			}
		}
	}
	dst = append(append(dst, t.dim...), "      id       seconds task             call                   values | name"...)
	return append(append(dst, t.plain...), '\n')
}

func (t *narrow) event(dst []byte, s *Step) []byte {
	e, phase := s.Event, s.Event.PhaseInFile()
	from := len(dst)
	if !t.start.turn(e) {
		t.begins(e)
	}
	dst = append(dst, t.start.text...)
	if e.Role > 0 && e.Role < maxRole && phase > 0 && phase <= schema.Whole && s.Depth < readyDepths && t.calls[e.Role][phase][s.Depth] != "" {
		dst = append(dst, t.calls[e.Role][phase][s.Depth]...)
	} else {
		dst = t.call(dst, e.Role, phase, s.Depth)
	}
	asked := s.Asked()
	facts := e.Facts
	if asked != e {
		facts |= asked.Facts
	}
	dst = t.facts(t.pairing(t.result(t.object(dst, s), s), s), facts)
	if name := s.name(); name != "" {
		line := len(dst) // up to the name
		dst = append(append(dst, " | "...), t.bold...)
		if name != t.name {
			t.name, t.shown = name, appendPrintable(t.shown[:0], name)
		}
		if dst = append(append(dst, t.shown...), t.plain...); !asked.NameCut() && len(dst)-from <= lineWidth {
			return append(dst, '\n') // no character has less than a byte
		}
		dst = dst[:line]
		room := lineWidth - utf8.RuneCount(dst[from:]) + len("\x1b[1m")*bytes.Count(dst[from:], []byte("\x1b")) - len(" | ")
		dst = append(append(dst, " | "...), t.bold...)
		dst = appendFitting(dst, name, max(room, leastName))
		if dst = append(dst, t.plain...); asked.NameCut() {
			dst = append(dst, "…"...)
		}
	}
	return append(dst, '\n')
}

// begins writes the start of a line: the event, its time in microseconds, and its task.
func (t *narrow) begins(e *schema.Event) {
	o := &t.start
	o.begin(e)
	o.text = appendID(o.text, e.ID, 8)
	o.idEnd = len(o.text)
	o.text = append(appendPadded(append(o.text, ' '), e.Time/1e9, 6), '.')
	o.ns, o.digits = len(o.text), 6
	o.text = append(appendDigits(o.text, e.Time%1e9/1e3, 6), ' ')
	o.text = t.column(o.text, narrowTask, func(dst []byte) []byte {
		if e.Comm == "" && e.TID == 0 {
			return append(dst, '-')
		}
		return strconv.AppendUint(append(appendPrintable(dst, e.Comm), '/'), uint64(e.TID), 10)
	})
}

func (t *narrow) call(dst []byte, r schema.Role, p schema.Phase, depth int) []byte {
	return t.column(dst, narrowCall, func(dst []byte) []byte {
		return append(append(appendSpaces(dst, 2*min(depth, narrowIndent)), mark(r, p)...), r.Label()...)
	})
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
		if d := e.Time - e.Entered; d%100 == 50 || d > 1e15 {
			dst = strconv.AppendFloat(append(dst, ' '), float64(d)/1e3, 'f', 1, 64)
		} else {
			d = (d + 50) / 100
			dst = append(appendPadded(append(dst, ' '), d/10, 0), '.', byte('0'+d%10))
		}
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

func (t *narrow) facts(dst []byte, facts schema.Fact) []byte {
	if f := facts & told; f != 0 {
		dst = append(appendFacts(append(dst, " ["...), f, ",", ""), ']')
	}
	return dst
}

// Asked is the event that has the name which the step is about: of a call that is one event its entry.
func (s *Step) Asked() *schema.Event {
	if s.Event.Entry != nil {
		return s.Event.Entry
	}
	return s.Event
}

// Halves calls do with the entry and then the exit of a call that is one event, each as the step that it would be as an
// event of its own, and with any other step as it is.
func (s *Step) Halves(do func(*Step)) {
	if s.Event.Entry != nil {
		entry := *s
		entry.Event, entry.Object = s.Event.Entry, nil
		do(&entry)
	}
	do(s)
}

// name is the name or path that a line ends with, at the end of a path call its path.
func (s *Step) name() string {
	if s.Call != nil && s.Event.Phase == schema.Exit && callRoles.Has(s.Event.Role) {
		return s.Call.Path
	}
	return s.Asked().Name
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
