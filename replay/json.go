// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dtrec/dtrec/schema"
)

// NewJSON prints one JSON object a line, its kind under "type": header, event,
// loss, damage, program, footer, or cut where the footer is missing. Times are
// nanoseconds since boot, addresses strings "0x…", null where the kernel had NULL.
// A field that the event did not record is not there. Of a call that is one event, phase "call",
// "returned" has what its exit recorded, and the object itself what its entry did. A name that is not UTF-8 has
// its bytes under "name_hex" as well.
func NewJSON() Format {
	return &jsonLines{subjects: newPieces()}
}

type jsonLines struct {
	symbols  *symbols
	imported bool                                           // tasks and CPUs are not known
	redacted bool                                           // hashes are gone
	kinds    [maxRole][schema.Whole + 1][readyDepths]string // the members that follow from role, phase and depth
	start    lineStart
	within   uint64 // the open of the last event
	open     []byte // the members that say so
	subjects *pieces
	facts    [1 << len(factNames)]string // the member of each set of them that has been met
	fs       []byte                      // the members of the filesystem of the last event with one
	fsType   string
	dev      uint32
}

func (j *jsonLines) begin(dst []byte, h *schema.Header) []byte {
	j.symbols, j.imported, j.redacted = newSymbols(h), h.Logged(), h.Redacted()
	for _, info := range schema.Catalogue() {
		for phase := schema.Enter; phase <= schema.Whole; phase++ {
			for depth := range readyDepths {
				j.kinds[info.Role][phase][depth] = j.kind(info.Role, phase, depth, j.symbols.of(info.Role, phase))
			}
		}
	}
	return appendPacket(dst, "header", h)
}

func (j *jsonLines) kind(r schema.Role, p schema.Phase, depth int, symbol string) string {
	b := append([]byte(`,"role":"`), r.Label()...)
	b = append(append(b, `","phase":"`...), p.Label()...)
	b = append(b, '"')
	if symbol != "" {
		b = appendString(append(b, `,"symbol":`...), symbol)
	}
	if !j.imported {
		b = appendNumber(b, `,"depth":`, uint64(depth))
	}
	return string(b)
}

func (j *jsonLines) event(dst []byte, s *Step) []byte {
	e, phase := s.Event, s.Event.PhaseInFile()
	if !j.start.turn(e) {
		j.begins(e)
	}
	dst = append(dst, j.start.text...)
	if e.Role > 0 && e.Role < maxRole && phase > 0 && phase <= schema.Whole && s.Depth < readyDepths && e.Symbol == "" && j.kinds[e.Role][phase][s.Depth] != "" {
		dst = append(dst, j.kinds[e.Role][phase][s.Depth]...)
	} else {
		dst = append(dst, j.kind(e.Role, phase, s.Depth, cmp.Or(e.Symbol, j.symbols.of(e.Role, phase)))...)
	}
	dst = j.place(dst, s)
	if e.Entry != nil {
		dst = append(j.values(dst, &Step{Event: e.Entry}), `,"returned":`...)
		from := len(dst)
		if dst = j.values(dst, s); len(dst) == from {
			dst = append(dst, ',')
		}
		dst[from] = '{' // for the first comma
		return append(dst, "}}\n"...)
	}
	return append(j.values(dst, s), '}', '\n')
}

// values is what the event recorded.
func (j *jsonLines) values(dst []byte, s *Step) []byte {
	e := s.Event
	dst = j.rare(j.subject(dst, s), e)
	if e.Facts == 0 {
		return dst
	}
	text := &j.facts[uint32(e.Facts)%uint32(len(j.facts))] // of others nothing is said
	if *text == "" {
		*text = string(append(appendFacts([]byte(`,"facts":[`), e.Facts, ",", `"`), ']'))
	}
	return append(dst, *text...)
}

// begins writes the start of a line: which event it is and when, and who did it and where, as far as the trace tells.
func (j *jsonLines) begins(e *schema.Event) {
	o := &j.start
	o.begin(e)
	o.text = appendNumber(o.text, `{"type":"event","id":`, e.ID)
	o.idEnd = len(o.text)
	if o.text = appendNumber(o.text, `,"time_ns":`, e.Time); o.second != 0 {
		o.ns, o.digits = len(o.text)-9, 9
	}
	o.text = j.tell(o.text, e)
}

func (j *jsonLines) tell(dst []byte, e *schema.Event) []byte {
	if !j.imported {
		dst = appendNumber(dst, `,"cpu":`, uint64(e.CPU))
		dst = appendNumber(dst, `,"pid":`, uint64(e.PID))
	} else if e.Comm == "" {
		return dst
	}
	dst = appendNumber(dst, `,"tid":`, uint64(e.TID))
	return appendText(dst, `,"comm":`, `,"comm_hex":"`, e.Comm)
}

// place says where among the calls of its thread the event stands.
func (j *jsonLines) place(dst []byte, s *Step) []byte {
	switch {
	case s.Stray:
		dst = append(dst, `,"stray":true`...)
	case s.Event.Entry != nil:
	case s.Call != nil && s.Event.Phase == schema.Exit:
		dst = appendNumber(dst, `,"call":`, s.Call.Enter.ID)
		if callRoles.Has(s.Event.Role) {
			dst = appendText(dst, `,"path":`, `,"path_hex":"`, s.Call.Path)
		}
	}
	if s.Open == nil {
		return dst
	}
	if e := s.Open.Enter; e.ID != j.within {
		j.within, j.open = e.ID, appendNumber(j.open[:0], `,"open":`, e.ID)
		if e.Execute() {
			j.open = append(j.open, `,"exec":true`...)
		}
	}
	return append(dst, j.open...)
}

// subject appends which dentry the event is of, and which name of which directory.
func (j *jsonLines) subject(dst []byte, s *Step) []byte {
	e := s.Event
	of := subject{columns: e.Columns & usual, dentry: e.Dentry}
	if e.Dentry != 0 {
		of.columns = usual
		of.inode, of.unknown = e.Inode, e.Inode == 0 && e.Facts&schema.FactInodeUnknown != 0
		if s.Object != nil {
			of.object = s.Object.Seq
		}
	}
	if of.columns.Has(schema.ColumnKey) {
		of.parent, of.name, of.length, of.hash = e.Parent, e.Name, e.NameLen, e.Hash
		of.path = e.Role.Is(schema.Walks) && e.Columns.Has(schema.ColumnKey)
	}
	if of.columns.Has(schema.ColumnNameAddr) {
		of.nameAddr = e.NameAddr
	}
	text, made := j.subjects.at(&of)
	if !made {
		*text = j.about((*text)[:0], &of)
	}
	return append(dst, *text...)
}

func (j *jsonLines) about(dst []byte, of *subject) []byte {
	if of.columns.Has(schema.ColumnDentry) {
		dst = appendAddress(dst, `,"dentry":`, of.dentry)
	}
	if of.object != 0 {
		dst = append(appendNumber(dst, `,"object":"D`, of.object), '"')
	}
	if of.dentry != 0 && !of.unknown {
		dst = appendAddress(dst, `,"inode":`, of.inode)
	}
	if of.columns.Has(schema.ColumnKey) {
		if of.parent != 0 {
			dst = appendAddress(dst, `,"parent":`, of.parent)
		}
		dst = appendText(dst, `,"name":`, `,"name_hex":"`, of.name)
		dst = appendNumber(dst, `,"name_len":`, uint64(of.length))
		if of.hash != 0 || !of.path && !j.imported && !j.redacted { // a path has none
			dst = appendNumber(dst, `,"hash":`, uint64(of.hash))
		}
	}
	if of.columns.Has(schema.ColumnNameAddr) {
		dst = appendAddress(dst, `,"name_addr":`, of.nameAddr)
	}
	return dst
}

// rare appends the fields that few kinds of event have.
func (j *jsonLines) rare(dst []byte, e *schema.Event) []byte {
	for rest := uint32(e.Columns &^ usual); rest != 0; rest &= rest - 1 {
		of := fields[bits.TrailingZeros32(rest)]
		for i := range of {
			dst = j.field(dst, e, &of[i])
		}
	}
	return dst
}

func (j *jsonLines) field(dst []byte, e *schema.Event, f *field) []byte {
	switch f.Form {
	case schema.Number, schema.Hex, schema.Octal:
		return appendNumber(dst, f.json, f.Of(e))
	case schema.Address:
		return appendAddress(dst, f.json, f.Of(e))
	case schema.Return:
		return j.returned(dst, e, f)
	case schema.Descriptor:
		return strconv.AppendInt(append(dst, f.json...), int64(f.Of(e)), 10)
	case schema.Moment:
		if v := f.Of(e); v != 0 {
			return appendNumber(dst, f.json, v)
		}
	case schema.Group:
		if e.Cgroup != "" {
			return appendText(dst, f.json, `,"cgroup_hex":"`, e.Cgroup)
		}
	case schema.Filesystem:
		if e.FSType == "" && e.Dev == 0 {
			return dst
		}
		if e.FSType != j.fsType || e.Dev != j.dev {
			j.fsType, j.dev = e.FSType, e.Dev
			j.fs = appendText(j.fs[:0], f.json, `,"fs_hex":"`, e.FSType)
			j.fs = append(appendDev(append(j.fs, `,"dev":"`...), e.Dev), '"')
		}
		return append(dst, j.fs...)
	}
	return dst
}

// returned is an address, a negative errno or another number; a wait status says what it
// means.
func (j *jsonLines) returned(dst []byte, e *schema.Event, f *field) []byte {
	v, n := f.Of(e), e.Errno()
	switch {
	case e.Role.Is(schema.ReturnsStatus):
		return j.ended(dst, schema.WaitStatus(v))
	case n == 0 && e.Role.Is(schema.ReturnsAddress):
		return appendAddress(dst, f.json, v)
	}
	dst = strconv.AppendInt(append(dst, f.json...), int64(v), 10)
	if name := schema.ErrnoName(n); name != "" {
		dst = append(append(append(dst, `,"errno":"`...), name...), '"')
	}
	return dst
}

// ended is how a process did: what wait(2) returns, and what that means.
func (j *jsonLines) ended(dst []byte, s schema.WaitStatus) []byte {
	dst = appendNumber(dst, `,"wait_status":`, uint64(s))
	if code, ok := s.Code(); ok {
		return appendNumber(dst, `,"exit_code":`, uint64(code))
	}
	if n, core := s.Signal(); n != 0 {
		dst = appendString(append(dst, `,"signal":`...), schema.SignalName(n))
		dst = strconv.AppendBool(append(dst, `,"core_dumped":`...), core)
	}
	return dst
}

func (j *jsonLines) loss(dst []byte, l *schema.Loss) []byte { return appendPacket(dst, "loss", l) }

func (j *jsonLines) damage(dst []byte, d *schema.Damage, last uint64) []byte {
	line, err := json.Marshal(struct {
		Type string `json:"type"`
		damageDocument
		LastID uint64 `json:"last_id"` // of the last event missing here
	}{"damage", newDamageDocument(d), last})
	if err != nil { // numbers and strings always encode
		panic(err)
	}
	return append(append(dst, line...), '\n')
}

func (j *jsonLines) program(dst []byte, p *schema.Program) []byte {
	return appendPacket(dst, "program", p)
}

func (j *jsonLines) footer(dst []byte, f *schema.Footer) []byte {
	return appendPacket(dst, "footer", f)
}

func (j *jsonLines) cut(dst []byte, last uint64) []byte {
	return append(appendNumber(dst, `{"type":"cut","last_id":`, last), "}\n"...)
}

func appendNumber(dst []byte, member string, v uint64) []byte {
	if dst = append(dst, member...); v < 10 {
		return append(dst, byte('0'+v))
	}
	var digits [20]byte
	return append(dst, digits[putUint(digits[:], v):]...)
}

// appendAddress appends an address as a string, 0 as null.
func appendAddress(dst []byte, member string, v uint64) []byte {
	dst = append(dst, member...)
	switch {
	case v == 0:
		return append(dst, "null"...)
	case v>>60 == 0:
		return append(appendHex(append(dst, '"'), v), '"')
	}
	text := [20]byte{0: '"', 1: '0', 2: 'x', 19: '"'} // as of nearly all
	binary.BigEndian.PutUint64(text[3:], hexWord(uint32(v>>32)))
	binary.BigEndian.PutUint64(text[11:], hexWord(uint32(v)))
	return append(dst, text[:]...)
}

// appendText appends a string that came from outside, and its bytes in hexadecimal
// where it is not UTF-8.
func appendText(dst []byte, member, hexMember, s string) []byte {
	if dst = append(dst, member...); plain(s) {
		return append(append(append(dst, '"'), s...), '"')
	}
	dst = appendString(dst, s)
	if !utf8.ValidString(s) {
		dst = append(dst, hexMember...)
		dst = hex.AppendEncode(dst, []byte(s))
		dst = append(dst, '"')
	}
	return dst
}

// appendString appends a JSON string. What Printable escapes of other than ASCII is escaped
// here too; what is not UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0 // s up to here is written
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < 0x7f {
			i++
			continue
		}
		size, r := 1, rune(c)
		if c >= utf8.RuneSelf {
			var own bool
			if size, own = glyph(s, i); own {
				i += size
				continue
			}
			r, _ = utf8.DecodeRuneInString(s[i:])
		}
		dst = appendJSONEscape(append(dst, s[plain:i]...), r)
		i += size
		plain = i
	}
	return append(append(dst, s[plain:]...), '"')
}

func appendJSONEscape(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return appendJSONEscape(appendJSONEscape(dst, high), low)
	}
	return append(dst, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
