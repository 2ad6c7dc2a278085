// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"hash/maphash"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// namer knows which numbers in names come from the run and not from the program.
type namer struct {
	seed  maphash.Seed // the same for both runs
	boot  int64        // when the kernel booted, nanoseconds since 1970
	last  string
	of    [2]uint32 // process and thread the last name was hashed for
	lastH nameHash
	buf   []byte
}

// nameHash identifies a name as it is, and with the numbers of the run folded.
type nameHash struct{ strict, folded uint64 }

func newNamer(seed maphash.Seed, h *schema.Header) namer {
	return namer{seed: seed, boot: h.GetStartUnixNs() - int64(h.GetStartBootNs())}
}

// hash identifies a name used by the event.
func (n *namer) hash(name string, e *schema.Event) nameHash {
	if name == n.last && e.PID == n.of[0] && e.TID == n.of[1] {
		return n.lastH
	}
	h := nameHash{strict: maphash.String(n.seed, name)}
	h.folded = h.strict
	if folded := n.fold(name, e); folded != nil {
		h.folded = maphash.Bytes(n.seed, folded)
	}
	n.last, n.of, n.lastH = name, [2]uint32{e.PID, e.TID}, h
	return h
}

// fold replaces the numbers of the run in a name by NUL; nil: there are none. The
// result is valid until the next call.
func (n *namer) fold(name string, e *schema.Event) []byte {
	n.buf = n.buf[:0]
	done, found := 0, false
	for i := 0; i < len(name); {
		if name[i]-'0' > 9 {
			i++
			continue
		}
		from := i
		value, digits := uint64(0), 0
		for ; i < len(name) && name[i]-'0' <= 9; i++ {
			value, digits = value*10+uint64(name[i]-'0'), digits+1
		}
		if digits < 20 && (n.ofRun(value, digits, e) || belowProc(name[:from], name[i:])) {
			n.buf = append(append(n.buf, name[done:from]...), 0)
			done, found = i, true
		}
	}
	if !found {
		return nil
	}
	n.buf = append(n.buf, name[done:]...)
	return n.buf
}

// ofRun reports whether a number is the task's id or a moment between the boot of
// this kernel and the event, in seconds, milli-, micro- or nanoseconds since 1970.
func (n *namer) ofRun(v uint64, digits int, e *schema.Event) bool {
	if v == uint64(e.PID) || v == uint64(e.TID) {
		return v != 0
	}
	var unit int64
	switch digits {
	case 10:
		unit = 1e9
	case 13:
		unit = 1e6
	case 16:
		unit = 1e3
	case 19:
		unit = 1
	default:
		return false
	}
	return v >= uint64(n.boot/unit) && v <= uint64((n.boot+int64(e.Time))/unit)+1
}

// belowProc reports whether a number between two parts of a path is a process's
// directory.
func belowProc(before, after string) bool {
	return before == "/proc/" && (after == "" || strings.HasPrefix(after, "/"))
}
