// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Bounds on the losses, damaged places and programs that Info lists; the totals count them all.
const (
	maxListed   = 4096
	maxPrograms = 128
)

// Source is a trace being read: a schema.Reader, or a wrapper around one.
type Source interface {
	Header() *schema.Header
	Next() (schema.Record, error)
}

// Info describes a trace: its header, footer and totals, without its events.
type Info struct {
	Header   *schema.Header
	Footer   *schema.Footer // nil: the file was cut
	Events   uint64
	First    uint64 // time of the earliest event, nanoseconds since boot; 0 without events
	Last     uint64 // time of the latest event
	Counts   []Count
	Programs []*schema.Program
	Loss     []*schema.Loss
	Lost     uint64 // sum of the counts of Loss, except those of unreadable names
	Damage   []schema.Damage
	Damaged  uint64 // events known to be missing at Damage
	Unlisted uint64 // programs, losses and damaged places that are counted and not listed
	Bytes    int64  // size of the file; set by the caller
	Indexed  bool   // the events were not read: their counts and times are from the seek index
}

// Count is the number of events of one role and phase.
type Count struct {
	Role   schema.Role
	Phase  schema.Phase
	Events uint64
}

// Complete reports whether the footer was read and no frame is damaged.
func (i *Info) Complete() bool { return i.Footer != nil && len(i.Damage) == 0 }

// BytesPerEvent returns the size of the file divided by its events; 0 without any.
func (i *Info) BytesPerEvent() float64 {
	if i.Events == 0 {
		return 0
	}
	return float64(i.Bytes) / float64(i.Events)
}

// kind is a role in a phase.
type kind struct {
	role  schema.Role
	phase schema.Phase
}

// ReadInfo reads a trace to its end. Of a Seekable source whose index counts the events it reads no frame
// with events. After an error of the source it returns what it has read so far, and the error.
func ReadInfo(src Source) (*Info, error) {
	i := &Info{Header: src.Header()}
	counts := make(map[kind]uint64)
	if s, ok := src.(Seekable); ok && s.Index() != nil {
		i.readIndex(s.Index(), counts)
		s.Skip(func(int) bool { return !i.Indexed })
	}
	err := Read(src, func(rec schema.Record) {
		switch rec := rec.(type) {
		case *schema.Event:
			counts[kind{rec.Role, rec.PhaseInFile()}]++
			if i.Events++; i.Events == 1 {
				i.First = rec.Time
			}
			i.First, i.Last = min(i.First, rec.Time), max(i.Last, rec.Time)
		case *schema.Loss:
			if rec.Cause != schema.LossUnreadableName {
				i.Lost += rec.Count
			}
			i.Loss = appendUpTo(i, i.Loss, rec, maxListed)
		case *schema.Damage:
			i.Damaged += rec.Events
			i.Damage = appendUpTo(i, i.Damage, *rec, maxListed)
		case *schema.Program:
			i.Programs = appendUpTo(i, i.Programs, rec, maxPrograms)
		case *schema.Footer:
			i.Footer = rec
		}
	})
	i.setCounts(counts)
	return i, err
}

// readIndex takes the counts and times of the events from the seek index, if its counts add up.
func (i *Info) readIndex(x *schema.Index, counts map[kind]uint64) {
	if len(x.KindEvents) == 0 || len(x.KindRole) != len(x.KindEvents) || len(x.KindPhase) != len(x.KindEvents) {
		return
	}
	last := len(x.Offset) - 1
	for k, n := range x.KindEvents {
		counts[kind{schema.Role(x.KindRole[k]), schema.Phase(x.KindPhase[k])}] += n
		i.Events += n
	}
	if i.Indexed = last >= 0 && i.Events == x.FirstId[last]+uint64(x.Events[last])-1; !i.Indexed {
		i.Events = 0
		clear(counts)
		return
	}
	i.First, i.Last = slices.Min(x.FirstNs), slices.Max(x.LastNs)
}

func appendUpTo[T any](i *Info, to []T, v T, most int) []T {
	if len(to) >= most {
		i.Unlisted++
		return to
	}
	return append(to, v)
}

// setCounts lists the counts by role and phase.
func (i *Info) setCounts(counts map[kind]uint64) {
	for _, k := range slices.SortedFunc(maps.Keys(counts), func(a, b kind) int {
		return cmp.Or(cmp.Compare(a.role, b.role), cmp.Compare(a.phase, b.phase))
	}) {
		i.Counts = append(i.Counts, Count{k.role, k.phase, counts[k]})
	}
}

// WriteJSON prints the info as one JSON object. Messages of the trace have the field names of trace.proto.
// Times are nanoseconds since boot, sizes are bytes, addresses are strings "0x…"; footer is null where the
// file was cut.
func (i *Info) WriteJSON(w io.Writer, name string) error {
	document := struct {
		File          string            `json:"file"`
		Complete      bool              `json:"complete"`
		Indexed       bool              `json:"indexed,omitempty"` // the events were not read
		Bytes         int64             `json:"bytes"`
		BytesPerEvent float64           `json:"bytes_per_event"`
		Header        json.RawMessage   `json:"header"`
		Events        uint64            `json:"events"`
		FirstNs       uint64            `json:"first_ns"`
		LastNs        uint64            `json:"last_ns"`
		Counts        []roleCount       `json:"counts"`
		Programs      []json.RawMessage `json:"programs"`
		Lost          uint64            `json:"lost"` // events missing at damaged places included
		Loss          []json.RawMessage `json:"loss"`
		Damage        []damageDocument  `json:"damage"`
		Unlisted      uint64            `json:"unlisted"`
		Footer        json.RawMessage   `json:"footer"`
	}{
		File: name, Complete: i.Complete(), Indexed: i.Indexed, Bytes: i.Bytes, BytesPerEvent: i.BytesPerEvent(), Header: message(i.Header),
		Events: i.Events, FirstNs: i.First, LastNs: i.Last, Counts: []roleCount{}, Programs: messages(i.Programs),
		Lost: i.Lost + i.Damaged, Loss: messages(i.Loss), Damage: []damageDocument{}, Unlisted: i.Unlisted,
	}
	for _, c := range i.Counts {
		document.Counts = append(document.Counts, roleCount{c.Role.Label(), c.Phase.Label(), c.Events})
	}
	for d := range i.Damage {
		document.Damage = append(document.Damage, newDamageDocument(&i.Damage[d]))
	}
	if i.Footer != nil {
		document.Footer = message(i.Footer)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(document)
}

type roleCount struct {
	Role   string `json:"role"`
	Phase  string `json:"phase"`
	Events uint64 `json:"events"`
}

type damageDocument struct {
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
	Events uint64 `json:"events"`
	Cut    bool   `json:"cut"`
	Error  string `json:"error"`
}

func newDamageDocument(d *schema.Damage) damageDocument {
	return damageDocument{d.Offset, d.Bytes, d.Events, d.Cut, d.Err.Error()}
}

func messages[M proto.Message](list []M) []json.RawMessage {
	out := []json.RawMessage{}
	for _, m := range list {
		out = append(out, message(m))
	}
	return out
}

// message returns a message of the trace as a JSON object with every field, in the order and by the names
// of trace.proto.
func message(m proto.Message) json.RawMessage {
	var t shown.Text
	putMessage(&t, m)
	return json.RawMessage(t.String())
}

func putMessage(dst *shown.Text, m proto.Message) {
	dst.Put("{")
	putMembers(dst, m)
	dst.Put("}")
}

func putMembers(dst *shown.Text, m proto.Message) {
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if i > 0 {
			dst.Put(",")
		}
		dst.Quoted(string(f.Name()))
		dst.Put(":")
		v := r.Get(f)
		if !f.IsList() {
			putValue(dst, f, v)
			continue
		}
		dst.Put("[")
		for n := range v.List().Len() {
			if n > 0 {
				dst.Put(",")
			}
			putValue(dst, f, v.List().Get(n))
		}
		dst.Put("]")
	}
}

// putValue appends one value of a field: a program's output as text, other bytes in hexadecimal, an enum by
// its name.
func putValue(dst *shown.Text, f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch f.Kind() {
	case protoreflect.MessageKind:
		putMessage(dst, v.Message().Interface())
	case protoreflect.EnumKind:
		dst.Quoted(schema.EnumLabel(f.Enum(), v.Enum()))
	case protoreflect.StringKind:
		dst.Quoted(v.String())
	case protoreflect.BytesKind:
		if f.Name() == "stdout" {
			dst.Quoted(string(v.Bytes()))
		} else {
			dst.Quoted(hex.EncodeToString(v.Bytes()))
		}
	default:
		if f.Name() == "dentry_hashtable" {
			putAddress(dst, v.Uint())
		} else {
			dst.Word(fmt.Sprint(v.Interface()))
		}
	}
}

// putPacket appends a packet of the trace as one line: its type, then its members.
func putPacket(dst *shown.Text, kind string, m proto.Message) {
	dst.Put(`{"type":`)
	dst.Quoted(kind)
	dst.Put(",")
	putMembers(dst, m)
	dst.Put("}\n")
}
