// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"fmt"
	"math/bits"
	"strconv"

	"github.com/dtrec/dtrec/schema"
)

const (
	taskWidth = 22 // of comm/tid
	callWidth = 34 // of the nested call
	maxIndent = 16 // calls deeper than that are not indented any further

	readyDepths = 4 // depths for which calls are prepared
)

// TextOptions say how NewText prints.
type TextOptions struct {
	Color bool // with escape sequences for a terminal
	Wide  bool // with all that was recorded, however long a line gets
}

// NewText prints one line an event: id, seconds since boot, comm/tid, the role (nested in
// the calls that enclose it; > enters, < leaves), the values and the name, in 120 columns. A
// wide line has the cpu, the symbol, and every address and hash besides.
func NewText(o TextOptions) Format {
	t := text{}
	if o.Color {
		t.dim, t.bold, t.alarm, t.plain = "\x1b[2m", "\x1b[1m", "\x1b[31m", "\x1b[0m"
	}
	if o.Wide {
		return &t
	}
	return &narrow{text: t}
}

type text struct {
	dim, bold, alarm, plain string

	symbols *symbols
	calls   [maxRole][schema.Whole + 1][readyDepths]string // see call

	comm string // the task of the last event
	tid  uint32
	task []byte // "comm/tid", padded
}

func (t *text) begin(dst []byte, h *schema.Header) []byte {
	t.symbols = newSymbols(h)
	for _, info := range schema.Catalogue() {
		for phase := schema.Enter; phase <= schema.Whole; phase++ {
			for depth := range readyDepths {
				t.calls[info.Role][phase][depth] = t.call(info.Role, phase, depth, t.symbols.of(info.Role, phase))
			}
		}
	}
	dst = append(dst, t.dim...)
	dst = append(dst, "      id          seconds cpu task                   call                               values | name"...)
	dst = append(dst, t.plain...)
	return append(dst, '\n')
}

// call is the middle of a line: nested, a mark, the role and the symbol, padded.
func (t *text) call(r schema.Role, p schema.Phase, depth int, symbol string) string {
	call := spaces[:2*min(depth, maxIndent)] + mark(r, p) + r.Label()
	if symbol != "" {
		call += " " + Printable(symbol)
	}
	return fmt.Sprintf("%-*s", callWidth, call)
}

// mark says whether a line enters a call, leaves it, or is of one moment.
func mark(r schema.Role, p schema.Phase) string {
	switch info, known := r.Info(); {
	case known && (info.Enter == nil || info.Exit == nil) || p == schema.Whole:
		return "- " // one moment, not a call
	case p == schema.Enter:
		return "> "
	case p == schema.Exit:
		return "< "
	}
	return "? "
}

func (t *text) event(dst []byte, s *Step) []byte {
	e, phase := s.Event, s.Event.PhaseInFile()
	dst = append(dst, t.dim...)
	dst = appendHead(dst, e)
	dst = append(dst, t.plain...)
	if e.TID != t.tid || e.Comm != t.comm || t.task == nil {
		t.setTask(e)
	}
	dst = append(dst, t.task...)
	if e.Role > 0 && e.Role < maxRole && phase > 0 && phase <= schema.Whole && s.Depth < readyDepths && e.Symbol == "" &&
		t.calls[e.Role][phase][s.Depth] != "" {
		dst = append(dst, t.calls[e.Role][phase][s.Depth]...)
	} else {
		dst = append(dst, t.call(e.Role, phase, s.Depth, cmp.Or(e.Symbol, t.symbols.of(e.Role, phase)))...)
	}
	if e.Entry != nil {
		dst = append(t.values(dst, &Step{Event: e.Entry}), " ->"...)
	}
	dst = t.values(dst, s)
	if e.Name != "" || s.name() != "" {
		dst = t.name(dst, s)
	}
	return append(dst, '\n')
}

// appendHead appends id, seconds and cpu in columns of 8, 16 and 3 characters.
func appendHead(dst []byte, e *schema.Event) []byte {
	if e.ID >= 1e7 || e.Time >= 1e15 || e.CPU >= 1000 {
		dst = append(appendID(dst, e.ID, 8), ' ')
		dst = append(appendSeconds(dst, e.Time, 6), ' ')
		return appendPadded(dst, uint64(e.CPU), 3)
	}
	head := [29]byte([]byte("                             "))
	head[putUint(head[:8], e.ID)-1] = '#'
	putUint(head[:15], e.Time/1e9)
	head[15] = '.'
	putDigits(head[16:25], e.Time%1e9)
	putUint(head[:], uint64(e.CPU))
	return append(dst, head[:]...)
}

func (t *text) setTask(e *schema.Event) {
	t.comm, t.tid = e.Comm, e.TID
	t.task = append(t.task[:0], ' ')
	if e.Comm == "" && e.TID == 0 { // an imported log does not say
		t.task = append(t.task, '-')
	} else {
		t.task = appendPrintable(t.task, e.Comm)
		t.task = strconv.AppendUint(append(t.task, '/'), uint64(e.TID), 10)
	}
	t.task = append(appendSpaces(t.task, 1+taskWidth-len(t.task)), ' ')
}

// appendID appends "#17", with spaces to its left up to width.
func appendID(dst []byte, id uint64, width int) []byte {
	var digits [21]byte
	i := putUint(digits[:], id) - 1
	digits[i] = '#'
	return append(appendSpaces(dst, width-(21-i)), digits[i:]...)
}

// values appends what the event recorded, but for the name.
func (t *text) values(dst []byte, s *Step) []byte {
	e := s.Event
	if e.Columns.Has(schema.ColumnDentry) {
		dst = t.dentry(dst, s)
	}
	if e.Columns&(1<<schema.ColumnKey|1<<schema.ColumnBucket) != 0 {
		dst = t.key(dst, e)
	}
	if e.NameAddr != 0 {
		dst = appendField(dst, " at=", e.NameAddr)
	}
	dst = t.rare(dst, e)
	if e.Facts != 0 {
		dst = appendFacts(append(dst, " ["...), e.Facts, ",", "")
		dst = append(dst, ']')
	}
	return t.pairing(dst, s)
}

// key appends what a name is looked up by, but for the name. A dentry has shown
// its parent already.
func (t *text) key(dst []byte, e *schema.Event) []byte {
	if e.Parent != 0 && e.Dentry == 0 {
		dst = appendField(dst, " parent=", e.Parent)
	}
	if e.Hash != 0 {
		dst = appendPadded(append(dst, " hash="...), uint64(e.Hash), 0) // decimal, as dmesg and the report have it
	}
	return appendPadded(append(dst, " len="...), uint64(e.NameLen), 0)
}

func appendField(dst []byte, name string, v uint64) []byte {
	return appendHex(append(dst, name...), v)
}

func (t *text) dentry(dst []byte, s *Step) []byte {
	e := s.Event
	if e.Dentry == 0 {
		return append(dst, " dentry=NULL"...)
	}
	dst = appendField(dst, " dentry=", e.Dentry)
	if s.Object != nil && s.Object.Seq != 0 {
		dst = append(dst, " D"...)
		dst = appendPadded(dst, s.Object.Seq, 0)
	}
	dst = appendField(dst, " parent=", e.Parent)
	switch {
	case e.Inode != 0:
		return appendField(dst, " inode=", e.Inode)
	case e.Facts&schema.FactInodeUnknown != 0:
		return dst
	}
	return append(dst, " negative"...)
}

// rare appends the fields that few kinds of event have.
func (t *text) rare(dst []byte, e *schema.Event) []byte {
	for rest := uint32(e.Columns &^ usual); rest != 0; rest &= rest - 1 {
		of := fields[bits.TrailingZeros32(rest)]
		for i := range of {
			dst = t.field(dst, e, &of[i])
		}
	}
	return dst
}

func (t *text) field(dst []byte, e *schema.Event, f *field) []byte {
	switch f.Form {
	case schema.Number:
		return strconv.AppendUint(append(dst, f.text...), f.Of(e), 10)
	case schema.Hex, schema.Address:
		return appendHex(append(dst, f.text...), f.Of(e))
	case schema.Octal:
		if v := f.Of(e); v != 0 {
			return strconv.AppendUint(append(append(dst, f.text...), '0'), v, 8)
		}
	case schema.Descriptor:
		if v := int64(f.Of(e)); v != schema.ATFDCWD {
			return strconv.AppendInt(append(dst, f.text...), v, 10)
		}
	case schema.Group:
		if e.Cgroup != "" {
			return appendPrintable(append(dst, f.text...), e.Cgroup)
		}
	case schema.Return:
		return t.returned(dst, e, f)
	case schema.Filesystem:
		if e.Dev == 0 {
			return dst
		}
		if e.FSType != "" {
			dst = appendPrintable(append(dst, f.text...), e.FSType)
		}
		return appendDev(append(dst, " dev="...), e.Dev)
	}
	return dst
}

func (t *text) returned(dst []byte, e *schema.Event, f *field) []byte {
	v := f.Of(e)
	if e.Role.Is(schema.ReturnsStatus) {
		return append(append(dst, ' '), schema.WaitStatus(v).String()...)
	}
	dst = append(dst, f.text...)
	if n := e.Errno(); n != 0 {
		dst = append(append(dst, t.bold...), '-')
		dst = strconv.AppendUint(dst, uint64(n), 10)
		if name := schema.ErrnoName(n); name != "" {
			dst = append(append(dst, ' '), name...)
		}
		return append(dst, t.plain...)
	}
	if e.Role.Is(schema.ReturnsAddress) {
		return appendHex(dst, v)
	}
	return strconv.AppendInt(dst, int64(v), 10)
}

// appendDev appends a device as "major:minor".
func appendDev(dst []byte, dev uint32) []byte {
	dst = strconv.AppendUint(dst, uint64(dev>>20), 10)
	dst = append(dst, ':')
	return strconv.AppendUint(dst, uint64(dev&(1<<20-1)), 10)
}

// factNames are the facts in the order of their bits.
var factNames = [...]string{"parent_is_root", "parent_op_hash", "mountpoint", "unhashed", "inode_unknown", "name_unreadable", "unwatched", "exchange", "other_root"}

// appendFacts appends the names of facts, each in quotes, separated.
func appendFacts(dst []byte, facts schema.Fact, separator, quote string) []byte {
	first := true
	for i, name := range factNames {
		if facts>>i&1 == 0 {
			continue
		}
		if !first {
			dst = append(dst, separator...)
		}
		first = false
		dst = append(append(append(dst, quote...), name...), quote...)
	}
	return dst
}

// pairing says what an exit leaves, and what is odd about the event.
func (t *text) pairing(dst []byte, s *Step) []byte {
	switch {
	case s.Stray:
		dst = append(append(append(dst, t.alarm...), " stray"...), t.plain...)
	case s.Event.Entry != nil:
	case s.Call != nil && s.Event.Phase == schema.Exit:
		dst = appendID(append(dst, " of "...), s.Call.Enter.ID, 0)
	case s.Event.Execute():
		dst = append(dst, " exec"...)
	}
	return dst
}

func (t *text) name(dst []byte, s *Step) []byte {
	e, name := s.Event, s.name()
	dst = append(dst, " | "...)
	dst = append(dst, t.bold...)
	dst = appendPrintable(dst, name)
	dst = append(dst, t.plain...)
	if s.Asked().NameCut() {
		dst = append(dst, "... (cut)"...)
	}
	if e.Entry != nil && e.Dentry != 0 && e.Name != name {
		dst = appendPrintable(append(append(dst, " -> "...), t.bold...), e.Name)
		dst = append(dst, t.plain...)
	}
	return dst
}

// note appends a line of its own, which no event stands behind.
func (t *text) note(dst []byte, loud bool, line func([]byte) []byte) []byte {
	if loud {
		dst = append(append(dst, t.alarm...), "!!! "...)
	} else {
		dst = append(append(dst, t.dim...), "--- "...)
	}
	dst = append(line(dst), t.plain...)
	return append(dst, '\n')
}

func (t *text) loss(dst []byte, l *schema.Loss) []byte {
	return t.note(dst, true, func(b []byte) []byte { return appendLoss(b, l) })
}

func (t *text) damage(dst []byte, d *schema.Damage, last uint64) []byte {
	return t.note(dst, true, func(b []byte) []byte { return appendDamage(b, d, last) })
}

func (t *text) program(dst []byte, p *schema.Program) []byte {
	return t.note(dst, false, func(b []byte) []byte {
		b = appendPrintable(append(b, "program "...), p.Name)
		b = strconv.AppendUint(append(b, ", process "...), uint64(p.Pid), 10)
		b = strconv.AppendInt(append(b, ", ended with exit code "...), int64(p.ExitCode), 10)
		return appendSeconds(append(b, " at "...), p.EndNs, 0)
	})
}

func (t *text) footer(dst []byte, f *schema.Footer) []byte {
	return t.note(dst, false, func(b []byte) []byte {
		b = strconv.AppendUint(append(b, "end: "...), f.Events, 10)
		b = strconv.AppendUint(append(b, " events, "...), f.Lost, 10)
		b = appendPrintable(append(b, " lost, ended by "...), f.EndedBy)
		return appendSeconds(append(b, " at "...), f.EndNs, 0)
	})
}

func (t *text) cut(dst []byte, last uint64) []byte {
	return t.note(dst, true, func(b []byte) []byte {
		return appendID(append(b, "the trace is cut: no event is known after "...), last, 0)
	})
}
