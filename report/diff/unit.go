// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"hash/maphash"
	"math/bits"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// Bounds on one call; what goes beyond is counted and compared as a count.
const (
	maxSteps  = 4096
	maxPlaces = 1024
)

// unit is what is aligned: an open with all within it, or a piece of what a thread
// does outside of opens.
type unit struct {
	comm string
	tid  uint32
	kind kind

	steps  []step
	more   uint64 // events beyond the bound
	claims []report.Ruling
	lossy  bool // events are missing in the time it took

	first, last uint64 // event ids
	from, to    uint64 // their times

	strict, folded uint64 // everything that is compared, as a hash
	label          uint64 // what it is of, as a hash: units of one label are variants

	// While it is made.
	places []place
	calls  []int // steps entered and not left, innermost last
	path   uint64
	killed []step   // in drop_caches: dentries the program had used
	swept  []uint64 // in drop_caches: the names of the others

	// While it waits for its counterpart.
	position uint64  // among the units of its program and side
	lone     uint64  // position since which its thread alone made units
	at       uint64  // matches before it
	within   stretch // the row of matches it follows
	gap      int     // the gap between matches it fell into
	then     string  // the call after it on its side; empty at the end
	words    string  // its label, spelled out
	outcome  string
}

// kind is what a unit is about.
type kind uint8

const (
	walking kind = iota // lookups and whatever else happens outside of opens
	opening
	unlinking
	moving
	dropping // drop_caches
	ending   // the kill of a dentry the program has used
	execing
	forking
	exiting
)

func (k kind) String() string {
	return [...]string{"walk", "open", "unlink", "rename", "drop_caches", "kill", "exec", "fork", "exit"}[k]
}

// reset makes the unit ready for use again.
func (u *unit) reset() {
	*u = unit{steps: u.steps[:0], claims: u.claims[:0], places: u.places[:0], calls: u.calls[:0], killed: u.killed[:0], swept: u.swept[:0]}
}

// mix is one step of a hash.
func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^v, 0x9e3779b97f4a7c15)
	return hi ^ lo ^ h<<1
}

// sign computes the hashes of a finished unit.
func (u *unit) sign(seed maphash.Seed) {
	strict := mix(uint64(u.kind)+1, u.more)
	for i := range u.claims {
		if r := &u.claims[i]; !r.Unseen() {
			strict = mix(strict, uint64(r.Kind)<<16|uint64(r.Verdict)<<8|uint64(r.Why))
			if r.About != "" {
				strict = mix(strict, maphash.String(seed, r.About))
			}
		}
	}
	folded := strict
	for i := range u.steps {
		st := &u.steps[i]
		shape := uint64(st.role)<<32 | uint64(st.form)<<28 | uint64(st.state)<<24 | uint64(st.marks)<<16 | uint64(st.base)<<8 | uint64(st.depth)
		strict = mix(mix(strict, shape), uint64(uint32(st.at))<<32|uint64(uint16(st.in))<<16|uint64(uint16(st.out)))
		if st.value != 0 || st.errno != 0 {
			strict = mix(mix(strict, st.value), uint64(st.errno))
		}
		if st.fs != "" {
			strict = mix(strict, maphash.String(seed, st.fs))
		}
		// The two differ only by how names are hashed.
		folded = mix(folded^strict, st.hash.folded)
		strict = mix(strict, st.hash.strict)
	}
	u.strict, u.folded = strict, folded
	u.label = u.labelHash()
}

// labelHash identifies what the unit is of: the kind, and the path or names.
func (u *unit) labelHash() uint64 {
	h := uint64(u.kind) + 1
	switch u.kind {
	case opening:
		h = mix(mix(h, u.steps[0].hash.folded), u.openFlags())
	case execing:
		h = mix(h, u.steps[0].hash.folded)
	case walking, ending, moving, unlinking:
		var last uint64
		for i := range u.steps {
			if st := &u.steps[i]; st.depth == 0 && st.hash.folded != last {
				last = st.hash.folded
				h = mix(h, last)
			}
		}
	}
	return h
}

// same reports whether nothing that is compared differs.
func (a *unit) same(b *unit) bool { return a.strict == b.strict || a.folded == b.folded }

// spell gives the unit its label and outcome in words.
func (u *unit) spell() {
	if u.words != "" {
		return
	}
	u.words = u.kind.String()
	switch u.kind {
	case opening:
		u.words += " " + quote(u.steps[0].name) + flagNames(u.openFlags())
	case execing:
		u.words += " " + quote(u.steps[0].name)
	case forking, exiting, dropping:
	default:
		u.words += " " + quote(u.names())
	}
	if n := len(u.steps); n > 0 {
		switch st := &u.steps[0]; {
		case u.kind == opening && st.errno != 0:
			u.outcome = errnoText(st.errno)
		case u.kind == opening && st.state == null:
			u.outcome = "NULL"
		case u.kind == exiting:
			u.outcome = exitText(st.value)
		}
	}
}

// Flags that make an open another call; their values are those of all machines that
// use include/uapi/asm-generic/fcntl.h.
const (
	oAccess = 0o3
	oCreat  = 0o100
	oExcl   = 0o200
	oTrunc  = 0o1000
)

func (u *unit) openFlags() uint64 {
	return u.steps[0].value >> 32 & (oAccess | oCreat | oExcl | oTrunc)
}

// flagNames spells the flags of a label; nothing for a plain open.
func flagNames(flags uint64) string {
	var names []string
	for _, f := range []struct {
		mask, is uint64
		name     string
	}{{oAccess, 1, "O_WRONLY"}, {oAccess, 2, "O_RDWR"}, {oCreat, oCreat, "O_CREAT"}, {oExcl, oExcl, "O_EXCL"}, {oTrunc, oTrunc, "O_TRUNC"}} {
		if flags&f.mask == f.is {
			names = append(names, f.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " " + strings.Join(names, "|")
}

// exitText spells a wait status.
func exitText(status uint64) string {
	if signal := status & 0x7f; signal != 0 {
		return "signal " + strconv.FormatUint(signal, 10)
	}
	return "code " + strconv.FormatUint(status>>8&0xff, 10)
}

// names joins the names met at the unit's own level, each once in a row.
func (u *unit) names() string {
	var parts []string
	for i := range u.steps {
		st := &u.steps[i]
		if st.depth == 0 && st.hash != (nameHash{}) && (len(parts) == 0 || parts[len(parts)-1] != st.name) {
			parts = append(parts, st.name)
		}
	}
	return strings.Join(parts, "/")
}

// lastName identifies the component the unit came to: the one with the last name in
// its path.
func (u *unit) lastName() uint64 {
	var name uint64
	at := int32(-1)
	for i := range u.steps {
		if st := &u.steps[i]; st.base == inPath && st.at > at && st.role != schema.RoleOpen {
			name, at = st.hash.folded, st.at
		}
	}
	return name
}

// span is the unit's events.
func (u *unit) span() Span { return Span{u.first, u.last} }

// slim drops what is needed only to look inside the unit.
func (u *unit) slim() {
	u.spell()
	u.more += uint64(len(u.steps))
	u.steps, u.claims, u.places, u.calls, u.killed, u.swept = nil, nil, nil, nil, nil, nil
}
