// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// WriteJSON prints the info as one JSON object. What of it are messages of the trace has
// the names of trace.proto. Times are nanoseconds since boot, sizes bytes, addresses
// strings "0x…"; footer is null where the file was cut.
func (i *Info) WriteJSON(w io.Writer, name string) error {
	document := struct {
		File          string            `json:"file"`
		Complete      bool              `json:"complete"`
		Indexed       bool              `json:"indexed,omitempty"` // the events were not looked at
		Bytes         int64             `json:"bytes"`
		BytesPerEvent float64           `json:"bytes_per_event"`
		Header        json.RawMessage   `json:"header"`
		Events        uint64            `json:"events"`
		FirstNs       uint64            `json:"first_ns"`
		LastNs        uint64            `json:"last_ns"`
		Counts        []roleCount       `json:"counts"`
		Programs      []json.RawMessage `json:"programs"`
		Lost          uint64            `json:"lost"` // damage included
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

// message is a message of the trace as a JSON object: every field, in the order and by the name of trace.proto.
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

// putValue adds one value of a field: bytes of output as text, other bytes in
// hexadecimal, an enum by its name.
func putValue(dst *shown.Text, f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch f.Kind() {
	case protoreflect.MessageKind:
		putMessage(dst, v.Message().Interface())
	case protoreflect.EnumKind:
		dst.Quoted(enumLabel(f.Enum(), v.Enum()))
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

// enumLabel is an enum's value as printed: its name without the enum's own, in lower case.
func enumLabel(e protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	zero := string(e.Values().ByNumber(0).Name())
	prefix := zero[:strings.LastIndexByte(zero, '_')+1]
	if v := e.Values().ByNumber(n); v != nil {
		return strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix))
	}
	return fmt.Sprintf("%s(%d)", strings.ToLower(strings.TrimSuffix(prefix, "_")), n)
}

// putPacket adds a packet of the trace as a line: its type, then its members.
func putPacket(dst *shown.Text, kind string, m proto.Message) {
	dst.Put(`{"type":`)
	dst.Quoted(kind)
	dst.Put(",")
	putMembers(dst, m)
	dst.Put("}\n")
}
