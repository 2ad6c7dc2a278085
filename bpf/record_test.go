// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/dtrec/dtrec/schema"
)

// fieldsOfWords says which fields of the event the words of a column set, in the order of record.h. Columns
// that are not listed have one word for each row of schema's table.
var fieldsOfWords = map[schema.Column][]func(*schema.Event, uint64){
	schema.ColumnKey: {
		func(e *schema.Event, v uint64) { e.Parent = v },
		func(e *schema.Event, v uint64) { e.NameLen, e.Hash = uint32(v), uint32(v>>32) }},
	schema.ColumnNameAddr: {func(e *schema.Event, v uint64) { e.NameAddr = v }},
	schema.ColumnDentry: {
		func(e *schema.Event, v uint64) { e.Dentry = v },
		func(e *schema.Event, v uint64) { e.Inode = v },
		func(e *schema.Event, v uint64) { e.NameAddr = v },
		func(e *schema.Event, v uint64) { e.Parent = v },
		func(e *schema.Event, v uint64) { e.NameLen, e.Hash = uint32(v), uint32(v>>32) }},
	schema.ColumnCgroup: {func(e *schema.Event, v uint64) { e.Cgroup = hexadecimal(v) }},
	schema.ColumnOpen:   {func(e *schema.Event, v uint64) { e.Flags, e.Mode = uint32(v), uint32(v>>32) }},
	schema.ColumnFilesystem: {
		func(e *schema.Event, v uint64) { e.FSType = fmt.Sprintf("%#x", v) },
		func(e *schema.Event, v uint64) { e.Dev = uint32(v) }},
	schema.ColumnStart: {
		func(e *schema.Event, v uint64) { e.Start = v },
		func(e *schema.Event, v uint64) { e.DirFD = int32(v) }},
}

// rawRecord returns a record of the role and phase with a name, in which each field and word has a number of
// its own, and the event that it stands for.
func rawRecord(t *testing.T, role schema.Role, phase schema.Phase, columns schema.Columns) ([]byte, schema.Event) {
	t.Helper()
	head := structOf(t, "head")
	if head.Size != headSize {
		t.Fatalf("struct head has %d bytes, headSize is %d", head.Size, headSize)
	}
	raw := make([]byte, headSize)
	field := func(name string, value uint64) uint64 {
		m, at, ok := member(head.Members, name)
		if !ok {
			t.Fatalf("struct head has no %s", name)
		}
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Fatal(err)
		}
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], value)
		n := copy(raw[at:], b[:min(size, 8)])
		clear(b[n:])
		return binary.LittleEndian.Uint64(b[:])
	}
	number := uint64(0x1111111111111111)
	e := schema.Event{Time: field("time", number), PID: uint32(field("tgid", 2*number)), TID: uint32(field("tid", 3*number)), CPU: uint32(field("cpu", 4*number)),
		Facts: schema.Fact(field("facts", 5*number)), Comm: "task", Name: "hello", Role: role, Phase: phase, Columns: columns}
	field("role", uint64(role))
	field("phase", uint64(phase))
	field("stored", 5)
	_, at, _ := member(head.Members, "comm")
	copy(raw[at:], "task\x00junk")
	for c := schema.ColumnKey; c < 32; c++ {
		if !columns.Has(c) {
			continue
		}
		sets := fieldsOfWords[c]
		for _, f := range schema.Fields()[c] {
			if fieldsOfWords[c] == nil {
				sets = append(sets, f.Set)
			}
		}
		for i, set := range sets {
			v := number * uint64(6+int(c)+i)
			raw = binary.LittleEndian.AppendUint64(raw, v)
			set(&e, v)
		}
	}
	if !columns.Has(schema.ColumnKey) && !columns.Has(schema.ColumnDentry) {
		e.NameLen = 5
	}
	return append(raw, "hello..."...), e
}

// headSize is the size of struct head in bytes, as schema.Sent assumes it.
const headSize = 40

// sent returns bytes in the form in which the ring buffer holds them: words.
func sent(raw []byte) schema.Sent {
	var words []uint64
	for raw = append(slices.Clip(raw), make([]byte, -len(raw)&7)...); len(raw) > 0; raw = raw[8:] {
		words = append(words, binary.LittleEndian.Uint64(raw))
	}
	return SentOf(words)
}

func hexadecimal(v uint64) string { return fmt.Sprintf("%#x", v) }

// appended returns the events that a trace has of a record.
func appended(t *testing.T, s *schema.Sender, raw []byte) (events []schema.Event, err error) {
	t.Helper()
	var file bytes.Buffer
	w, err := schema.NewWriter(&file, &schema.Header{Kernel: &schema.Kernel{}, Layout: &schema.Layout{}, RunId: make([]byte, 16)})
	if err != nil {
		t.Fatal(err)
	}
	wrong := s.Append(w, sent(raw))
	if err := w.Close(&schema.Footer{}); err != nil {
		t.Fatal(err)
	}
	r, err := schema.NewReader(&file, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		switch record, err := r.Next(); e := record.(type) {
		case *schema.Event:
			if e.Entry != nil { // returned as an event of its own
				entry := *e.Entry
				entry.ID = 0
				events = append(events, entry)
			}
			exit := *e
			exit.ID, exit.Entry = 0, nil
			events = append(events, exit)
		default:
			if err == io.EOF {
				return events, wrong
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// writtenAs returns what a file keeps of an event.
func writtenAs(e schema.Event) schema.Event {
	if e.Columns.Has(schema.ColumnTook) && e.Entered > e.Time {
		e.Entered = 0
	}
	if !e.Columns.Has(schema.ColumnKey) && !e.Columns.Has(schema.ColumnDentry) { // no column holds these then
		e.Name, e.NameLen, e.Facts = "", 0, 0
	}
	return e
}

// Append reads each field of the head from where the C compiler put it, and the words of each column.
func TestAppend(t *testing.T) {
	s := schema.NewSender(hexadecimal, hexadecimal)
	for _, info := range schema.Catalogue() {
		for _, phase := range []schema.Phase{schema.Enter, schema.Exit} {
			shape := info.Role.Shape(phase)
			if shape == nil {
				raw, _ := rawRecord(t, info.Role, phase, 0)
				if got, err := appended(t, s, raw); err == nil || len(got) > 0 {
					t.Errorf("%s %s: appended, against the catalogue", info.Name, phase)
				}
				continue
			}
			raw, want := rawRecord(t, info.Role, phase, shape.Columns)
			if got, err := appended(t, s, raw); err != nil || len(got) != 1 || got[0] != writtenAs(want) {
				t.Errorf("%s %s: %v\n%+v, want\n%+v", info.Name, phase, err, got, writtenAs(want))
			}
			for n := 0; n < len(raw)-len("..."); n += 8 {
				if got, err := appended(t, s, raw[:n]); err == nil || len(got) > 0 {
					t.Fatalf("%s %s: %d bytes are taken for a record", info.Name, phase, n)
				}
			}
		}
	}
}

// The record of a leaf's whole call becomes its entry and its exit, each with its own name and facts. If the
// call returned NULL, the exit has neither.
func TestAppendCall(t *testing.T) {
	s := schema.NewSender(hexadecimal, hexadecimal)
	for _, info := range schema.Catalogue() {
		if info.Traits&schema.TraitLeaf == 0 {
			continue
		}
		raw, _ := rawRecord(t, info.Role, schema.Whole, 0)
		raw = raw[:headSize]
		got, err := appended(t, s, append(raw, make([]byte, 8*11)...))
		if err != nil || len(got) != 2 || got[1].Dentry != 0 || got[1].Facts != 0 || got[1].Name != "" {
			t.Fatalf("%s of NULL: %v, %+v", info.Name, err, got)
		}
		want := got
		want[0].Name, want[0].NameLen, want[1].Name = "hello", 0, "other"
		for c, n := schema.ColumnKey, uint64(1); c < 32; c++ {
			e := &want[1]
			switch {
			case info.Enter.Columns.Has(c):
				e = &want[0]
			case !info.Exit.Columns.Has(c):
				continue
			}
			for _, set := range fieldsOfWords[c] {
				raw = binary.LittleEndian.AppendUint64(raw, n)
				set(e, n)
				n++
			}
			if c == schema.ColumnDentry {
				want[1].Facts = schema.FactMountpoint
				raw = binary.LittleEndian.AppendUint64(raw, uint64(schema.FactMountpoint)|5<<16)
			}
		}
		raw = append(raw, "hello...other..."...)
		got, err = appended(t, s, raw)
		if err != nil || !slices.Equal(got, want) || got[0].Phase != schema.Enter || got[1].Phase != schema.Exit {
			t.Errorf("%s: %v\n%+v, want\n%+v", info.Name, err, got, want)
		}
		for n := headSize; n < len(raw)-len("hello...other..."); n += 8 {
			if got, err := appended(t, s, raw[:n]); err == nil || len(got) > 0 {
				t.Fatalf("%s: %d bytes are taken for a record", info.Name, n)
			}
		}
	}
}

// A NULL dentry takes one word, and the length of a path is the number of its bytes.
func TestAppendShort(t *testing.T) {
	s := schema.NewSender(hexadecimal, hexadecimal)
	raw, _ := rawRecord(t, schema.RoleLookup, schema.Exit, schema.RoleLookup.Shape(schema.Exit).Columns)
	raw = append(raw[:headSize], make([]byte, 8)...)
	_, stored, _ := member(structOf(t, "head").Members, "stored")
	binary.LittleEndian.PutUint16(raw[stored:], 0)
	if got, err := appended(t, s, raw); err != nil || got[0].Dentry != 0 || got[0].Name != "" {
		t.Errorf("a lookup that found nothing: %v, %+v", err, got)
	}
	raw, _ = rawRecord(t, schema.RoleExec, schema.Enter, schema.RoleExec.Shape(schema.Enter).Columns)
	clear(raw[headSize+8 : headSize+16])
	if got, err := appended(t, s, raw); err != nil || got[0].Name != "hello" || got[0].NameLen != 5 {
		t.Errorf("a path: %v, %+v", err, got)
	}
}

// Appending an event allocates no memory.
func TestAppendDoesNotAllocate(t *testing.T) {
	s := schema.NewSender(func(uint64) string { return "xfs" }, nil)
	w, err := schema.NewWriter(io.Discard, &schema.Header{Kernel: &schema.Kernel{}, Layout: &schema.Layout{}, RunId: make([]byte, 16)})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := rawRecord(t, schema.RoleLookup, schema.Enter, schema.RoleLookup.Shape(schema.Enter).Columns)
	record := sent(raw)
	for range 5000 { // until the columns have grown
		if err := s.Append(w, record); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() { _ = s.Append(w, record) }); n != 0 {
		t.Errorf("%v allocations for each event", n)
	}
}
