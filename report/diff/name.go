// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"hash/maphash"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// name is a name with two hashes: of the name itself, and of the name without what varies between runs.
type name struct {
	text          string
	exact, coarse uint64
	temporary     bool // coarse leaves out letters or an address that may have been made up for the run
}

// same reports whether two names are equal except for what varies by chance.
func (n *name) same(m *name) bool {
	return n.exact == m.exact || n.coarse == m.coarse && (!n.temporary && !m.temporary || madeUp(n.text, m.text) || withoutAddresses(n.text) == withoutAddresses(m.text))
}

// namer recognises what in names comes from the run and not from the program.
type namer struct {
	seed  maphash.Seed // the same for both runs
	boot  int64        // time at which the kernel booted, nanoseconds since 1970
	temps map[string]string
	plain bool // names are redacted: they all look made up, and none is treated as temporary
}

func newNamer(seed maphash.Seed, h *schema.Header) namer {
	return namer{seed: seed, boot: h.GetStartUnixNs() - int64(h.GetStartBootNs()), temps: make(map[string]string), plain: h.Redacted()}
}

// of returns the name as used by the task of the event.
func (n *namer) of(text string, e *schema.Event) name {
	folded, temporary := n.fold(text, e)
	h := maphash.String(n.seed, text)
	made := name{text, h, h, temporary}
	if folded != text {
		made.coarse = maphash.String(n.seed, folded)
	}
	return made
}

// fold replaces what varies between runs in a name by NULs.
func (n *namer) fold(text string, e *schema.Event) (folded string, temporary bool) {
	if len(n.temps) > 0 {
		text, temporary = n.withoutTemps(text)
	}
	return n.withoutNumbers(text, e), temporary
}

var (
	left   = regexp.MustCompile("\x00+")  // what fold has put in place of what varies
	random = regexp.MustCompile(`\w{6,}`) // what mkstemp(3) may have made up: it makes up six letters and digits or more
)

// varies returns pairs of strings, both regular expressions: each name in a call that holds something of
// the run, in printable form, and a pattern that the same name in another run matches.
func (n *namer) varies(c *call) (out []string) {
	e := &schema.Event{PID: c.pid, TID: c.tid, Time: c.to, Columns: schema.Columns(0).With(schema.ColumnDentry)}
	for i := range c.lines {
		text := c.lines[i].name.text
		folded, _ := n.fold(text, e)
		if folded == text || slices.Contains(out, regexp.QuoteMeta(replay.Printable(text))) {
			continue
		}
		parts := left.Split(folded, -1)
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(replay.Printable(part))
		}
		out = append(out, regexp.QuoteMeta(replay.Printable(text)), strings.Join(parts, `\w+`))
	}
	return out
}

// withoutNumbers replaces each number that varies between runs by NUL. The kernel names the dentry of a
// file without a name (O_TMPFILE) after its inode number: #27.
func (n *namer) withoutNumbers(text string, e *schema.Event) string {
	var out []byte
	done := 0
	for from, to := 0, 0; from < len(text); from = max(to, from+1) {
		value := uint64(0)
		for to = from; to < len(text) && text[to]-'0' <= 9; to++ {
			value = value*10 + uint64(text[to]-'0')
		}
		inode := text[:from] == "#" && to == len(text) && e.Columns.Has(schema.ColumnDentry)
		if to > from && to-from < len(units) && (n.ofRun(value, to-from, e) || belowProc(text[:from], text[to:]) || inode) {
			out, done = append(append(out, text[done:from]...), 0), to
		}
	}
	if done == 0 {
		return text
	}
	return string(append(out, text[done:]...))
}

// units maps the number of digits of a time since 1970 to its unit in nanoseconds: seconds, milliseconds,
// microseconds or nanoseconds.
var units = [20]int64{10: 1e9, 13: 1e6, 16: 1e3, 19: 1}

// ofRun reports whether a number is the id of the task, or a time between the boot of this kernel and the
// event.
func (n *namer) ofRun(v uint64, digits int, e *schema.Event) bool {
	if e.PID != 0 && (v == uint64(e.PID) || v == uint64(e.TID)) {
		return true
	}
	unit := units[digits]
	return unit != 0 && v >= uint64(n.boot/unit) && v <= uint64((n.boot+int64(e.Time))/unit)+1
}

// belowProc reports whether a number between two parts of a path is the directory of a process.
func belowProc(before, after string) bool {
	return before == "/proc/" && (after == "" || after[0] == '/')
}

const (
	maxTemps  = 1 << 16 // temporary names remembered
	minDiffer = 5       // letters in which two of them differ: one of six may be equal by chance
)

// made takes a path that the program creates. If its last component may be made up for the run, it is
// remembered as a temporary name.
func (n *namer) made(path string) {
	base := path[strings.LastIndexByte(path, '/')+1:]
	if _, met := n.temps[base]; met || n.plain || len(n.temps) >= maxTemps {
		return
	}
	if folded := withoutRandom(withoutAddresses(base)); folded != base {
		n.temps[base] = folded
	}
}

// withoutTemps replaces the components of a path that are temporary names, and reports whether there were
// any.
func (n *namer) withoutTemps(path string) (string, bool) {
	some := false
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if folded, ok := n.temps[part]; ok {
			parts[i], some = folded, true
		}
	}
	return strings.Join(parts, "/"), some
}

// withoutRandom replaces by NULs each run of letters and digits that may be random: long enough, and of more than one
// kind.
func withoutRandom(s string) string {
	return random.ReplaceAllStringFunc(s, func(run string) string {
		if !mixed(run) {
			return run
		}
		return strings.Repeat("\x00", len(run))
	})
}

// decimal matches an address of a process as Python's id() prints it: 0x5500_0000_0000 and more, where x86-64 and arm64
// load programs and map memory, has 14 or 15 digits.
var decimal = regexp.MustCompile(`[0-9]{14,}`)

// withoutAddresses replaces by NUL each decimal number that is an address of a process, as Python puts it at the end of
// the file that it writes and then renames to NAME.pyc.
func withoutAddresses(s string) string {
	return decimal.ReplaceAllStringFunc(s, func(digits string) string {
		if v, err := strconv.ParseUint(digits, 10, 48); err != nil || v < 0x5500_0000_0000 {
			return digits
		}
		return "\x00"
	})
}

// folded returns a hash of what a call is about, without all that may be made up for the run in its names, whether a call
// was seen to create them or not; 0 if nothing may be.
func (n *namer) folded(c *call) uint64 {
	h, some := mix(uint64(c.kind)+1, c.openFlags()), false
	for l := range c.named {
		text, temporary := n.fold(l.name.text, &schema.Event{PID: c.pid, TID: c.tid, Time: c.to})
		folded := withoutRandom(withoutAddresses(text))
		some = some || temporary || folded != text
		h = mix(h, maphash.String(n.seed, folded))
	}
	if !some || n.plain {
		return 0
	}
	return h
}

// mixed reports whether a string has only lower-case letters and _, capitals and digits, and more than one kind of them.
func mixed(s string) bool {
	kinds := 0
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c == '_':
			kinds |= 1
		case c >= 'A' && c <= 'Z':
			kinds |= 2
		case c >= '0' && c <= '9':
			kinds |= 4
		default:
			return false
		}
	}
	return kinds&(kinds-1) != 0
}

// madeUp reports whether two names of equal length differ as names from mkstemp(3) do: in one stretch, at
// nearly every position of it, and in characters of more than one kind.
func madeUp(a, b string) bool {
	var at []int      // where they differ,
	var differ []byte // and in what
	for i := 0; i < len(a) && len(a) == len(b); i++ {
		if a[i] != b[i] {
			at, differ = append(at, i), append(differ, a[i], b[i])
		}
	}
	n := len(at)
	return n >= minDiffer && n+2 >= at[n-1]-at[0]+1 && mixed(string(differ))
}
