// SPDX-License-Identifier: Apache-2.0

package replay_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"github.com/google/go-cmp/cmp"
)

// event returns an event as a live probe records it.
func event(role schema.Role, phase schema.Phase, set schema.Event) schema.Event {
	info, _ := role.Info()
	shape := info.Enter
	if phase == schema.Exit {
		shape = info.Exit
	}
	set.Role, set.Phase, set.Columns = role, phase, shape.Columns
	set.NameLen = uint32(len(set.Name))
	set.PID, set.TID, set.Comm = 7, 7, "te_miss"
	return set
}

func traceOf(t testing.TB, events []schema.Event) []byte {
	t.Helper()
	b, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		for i := range events {
			if events[i].Time == 0 {
				events[i].Time = 5_000_123_456 + uint64(i)*1_000_000
			}
			emit(&events[i])
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The lines of the example block on the stage 2 page, in its order and in its forms.
func TestDmesgPrintsTheSeedsLines(t *testing.T) {
	const path, base, dentry = 0xffff8976c6763020, 0xffff8976c6763025, 0xffff8976e1999b40
	name := schema.Event{Name: "t_e.txt", Hash: 210259851, NameAddr: base}
	found := schema.Event{Name: "t_e.txt", Hash: 210259851, Dentry: dentry, NameAddr: dentry + 56, Inode: 1}
	events := []schema.Event{
		event(schema.RoleOpen, schema.Enter, schema.Event{Name: "/tmp/t_e.txt", NameAddr: path}),
		event(schema.RoleLookup, schema.Enter, name),
		event(schema.RoleLookupChain, schema.Enter, name),
		event(schema.RoleLookupChain, schema.Exit, schema.Event{}),
		event(schema.RoleLookup, schema.Exit, schema.Event{}),
		event(schema.RoleAlloc, schema.Enter, name),
		event(schema.RoleAlloc, schema.Exit, found),
		event(schema.RoleInsert, schema.Exit, found),
		event(schema.RoleOpen, schema.Exit, found),
		event(schema.RoleLookupRCU, schema.Enter, name),
		event(schema.RoleLookupRCU, schema.Exit, found),
		event(schema.RoleDelete, schema.Enter, found),
		event(schema.RoleKill, schema.Enter, found),
		event(schema.RoleFree, schema.Enter, found),
		event(schema.RoleLookupRCU, schema.Exit, schema.Event{}),
		// Not printed by the module: the exit of a failed open, the insert in a rename, the exit of a
		// d_delete.
		event(schema.RoleOpen, schema.Enter, schema.Event{Name: "x\n", NameAddr: path}),
		event(schema.RoleOpen, schema.Exit, schema.Event{Ret: ^uint64(1)}),
		event(schema.RoleMove, schema.Enter, found),
		event(schema.RoleInsert, schema.Exit, found),
		event(schema.RoleMove, schema.Exit, found),
		event(schema.RoleDelete, schema.Exit, found),
	}
	want := `[    5.000123] [O] IN: 0xffff8976c6763020 | /tmp/t_e.txt
[    5.001123] d_lookup entry: hash 210259851 length 7 name t_e.txt
[    5.002123] __d_lookup entry: hash 210259851 length 7 name t_e.txt
[    5.004123] d_lookup return: NULL
[    5.005123] [A] SRC: 0xffff8976c6763025
[    5.006123] [A] DST: 0xffff8976e1999b78
[    5.007123] __d_add entry: 0xffff8976e1999b78 | t_e.txt
[    5.008123] [O] OUT: 0xffff8976e1999b78 | t_e.txt
[    5.009123] __d_lookup_rcu entry: hash 210259851 length 7 name t_e.txt
[    5.010123] __d_lookup_rcu return: 0xffff8976e1999b78 | t_e.txt
[    5.011123] d_delete entry: 0xffff8976e1999b78 | t_e.txt
[    5.012123] __dentry_kill entry: 0xffff8976e1999b78 | t_e.txt
[    5.014123] __d_lookup_rcu return: NULL
[    5.015123] [O] IN: 0xffff8976c6763020 | x\n
`
	var got bytes.Buffer
	print(t, &got, traceOf(t, events), &replay.Filter{}, replay.NewDmesg())
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Error(d)
	}
}

// everyKind makes events of every role and phase, with values of all sizes and names of any bytes.
func everyKind() []schema.Event {
	rng := rand.New(rand.NewPCG(1, 2))
	small := func() uint64 { return rng.Uint64() >> rng.IntN(64) }
	names := []string{"", "plain", "a b", `back\slash"quote`, "new\nline", "\x1b[31mred", "caf\u00e9", "\xff\xfe", "tab\tc\x00d",
		"\u202egnp.exe", "\ufffd", "日本", "\u2028", "half\xc3"}
	var out []schema.Event
	for range 20 {
		for _, info := range schema.Catalogue() {
			for phase, shape := range map[schema.Phase]*schema.Shape{schema.Enter: info.Enter, schema.Exit: info.Exit} {
				if shape == nil {
					continue
				}
				e := event(info.Role, phase, schema.Event{
					CPU: uint32(small()), Time: small() >> 1,
					Parent: small(), Name: names[rng.IntN(len(names))], Hash: uint32(small()), NameAddr: small(),
					Dentry: small() & -(small() & 1), Inode: small() & -(small() & 1), Facts: schema.Fact(rng.IntN(64)),
					Ret: []uint64{0, small(), ^uint64(1), ^uint64(4094)}[rng.IntN(4)], Flags: uint32(small()), Mode: uint32(small() & 07777),
					FSType: []string{"", "ext4"}[rng.IntN(2)], Dev: uint32(small()), Bucket: small(), Target: small(), Child: uint32(small()),
				})
				e.PID, e.TID, e.Comm = uint32(small()), uint32(small()), names[rng.IntN(len(names))]
				if rng.IntN(5) == 0 {
					e.NameLen += 9
				}
				out = append(out, e)
			}
		}
	}
	out = append(out, schema.Event{Time: 1, Role: 99, Phase: 7, Columns: 0}, schema.Event{Time: 1, Role: 99, Phase: 1})
	return out
}

// Whatever names a trace holds, each line stays one line and does not harm the terminal.
func TestTextIsSafeToPrint(t *testing.T) {
	events := everyKind()
	file := traceOf(t, events)
	for _, format := range []replay.Format{replay.NewText(replay.TextOptions{Wide: true}), replay.NewDmesg()} {
		var out bytes.Buffer
		print(t, &out, file, &replay.Filter{}, format)
		for _, r := range out.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%T prints %q", format, r)
			}
		}
		if !utf8.Valid(out.Bytes()) {
			t.Errorf("%T prints what is no UTF-8", format)
		}
		if lines := strings.Count(out.String(), "\n"); lines > len(events)+2 {
			t.Errorf("%T: %d lines for %d events", format, lines, len(events))
		}
	}
}

// Every field of every event can be read back from the JSON lines.
func TestJSONHoldsEveryField(t *testing.T) {
	events := everyKind()
	file := traceOf(t, events)
	var out bytes.Buffer
	print(t, &out, file, &replay.Filter{}, replay.NewJSON())
	r, err := schema.NewReader(bytes.NewReader(file), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dec := json.NewDecoder(&out)
	dec.UseNumber()
	types := map[string]int{}
	for {
		var object map[string]any
		if err := dec.Decode(&object); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		kind := object["type"].(string)
		types[kind]++
		if kind != "event" {
			continue
		}
		rec, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		want := *rec.(*schema.Event)
		if d := cmp.Diff(want, fromJSON(t, object)); d != "" {
			t.Fatalf("#%d (-recorded +printed):\n%s\n%v", want.ID, d, object)
		}
	}
	if d := cmp.Diff(map[string]int{"header": 1, "event": len(events), "footer": 1}, types); d != "" {
		t.Error(d)
	}
}

// fromJSON rebuilds an event from its object.
func fromJSON(t *testing.T, o map[string]any) schema.Event {
	t.Helper()
	number := func(key string) uint64 {
		switch v := o[key].(type) {
		case json.Number:
			if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
				return uint64(i)
			}
			u, err := strconv.ParseUint(v.String(), 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			return u
		case string:
			u, err := strconv.ParseUint(v, 0, 64)
			if err != nil || !strings.HasPrefix(v, "0x") {
				t.Fatalf("%s: %q, %v", key, v, err)
			}
			return u
		}
		return 0
	}
	text := func(key string) string {
		if h, ok := o[key+"_hex"].(string); ok {
			b, err := hex.DecodeString(h)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		s, _ := o[key].(string)
		return s
	}
	e := schema.Event{
		ID: number("id"), Time: number("time_ns"), CPU: uint32(number("cpu")), PID: uint32(number("pid")), TID: uint32(number("tid")),
		Comm: text("comm"), Parent: number("parent"), Name: text("name"), NameLen: uint32(number("name_len")), Hash: uint32(number("hash")),
		NameAddr: number("name_addr"), Dentry: number("dentry"), Inode: number("inode"), Ret: number("ret") | number("wait_status"), Flags: uint32(number("flags")),
		Mode: uint32(number("mode")), FSType: text("fs"), Bucket: number("bucket"), Target: number("target"), Child: uint32(number("child")),
	}
	if dev, ok := o["dev"].(string); ok {
		var major, minor uint32
		if _, err := fmt.Sscanf(dev, "%d:%d", &major, &minor); err != nil {
			t.Fatal(err)
		}
		e.Dev = major<<20 | minor
	}
	facts, _ := o["facts"].([]any)
	for _, f := range facts {
		e.Facts |= schema.Fact(schema.Fact_value["FACT_"+strings.ToUpper(f.(string))])
	}
	e.Role, e.Phase, e.Columns = kindOf(o)
	return e
}

func kindOf(o map[string]any) (schema.Role, schema.Phase, schema.Columns) {
	for _, info := range schema.Catalogue() {
		if info.Name == o["role"] && o["phase"] == "enter" {
			return info.Role, schema.Enter, info.Enter.Columns
		} else if info.Name == o["role"] {
			return info.Role, schema.Exit, info.Exit.Columns
		}
	}
	var phase schema.Phase = schema.Enter
	if o["phase"] != "enter" {
		phase = 7
	}
	return 99, phase, 0
}

// Reading may allocate; printing an event does not.
func TestPrintingDoesNotAllocate(t *testing.T) {
	file := generated(t, 100_000)
	measure := func(format func() replay.Format, filter *replay.Filter) float64 {
		return testing.AllocsPerRun(1, func() { print(t, io.Discard, file, filter, format()) })
	}
	nothing := &replay.Filter{PIDs: []uint32{4_000_000_000}}
	for name, format := range map[string]func() replay.Format{
		"text": func() replay.Format { return replay.NewText(replay.TextOptions{Wide: true, Color: true}) }, "dmesg": replay.NewDmesg, "json": replay.NewJSON,
	} {
		without, with := measure(format, nothing), measure(format, &replay.Filter{})
		if with > without+200 {
			t.Errorf("%s: %.0f allocations, %.0f without printing", name, with, without)
		}
	}
}
