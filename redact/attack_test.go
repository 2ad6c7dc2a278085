// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// attack is what somebody who knows the kernel and the usual names can extract from a trace.
type attack struct {
	bases   map[uint64]int // possible addresses of dentry_hashtable, computed as bucket − 8 × (hash >> shift)
	parents int            // number of parent addresses that a known name and its hash confirm
}

func attacked(t *testing.T, trace []byte) attack {
	a := attack{bases: make(map[uint64]int)}
	_, all := records(t, trace)
	usual := []string{"tmp", "etc", "usr", "lib", "proc", "t_e.txt", "a.txt", "ld.so.cache"}
	for _, r := range all {
		e, ok := r.(*schema.Event)
		if !ok {
			continue
		}
		for shift := uint(8); shift < 24 && e.Bucket != 0 && e.Hash != 0; shift++ { // the shift is guessed
			a.bases[e.Bucket-8*uint64(e.Hash>>shift)]++
		}
		for _, name := range usual {
			if e.Parent != 0 && e.Hash != 0 && schema.HashName(e.Parent, name) == e.Hash {
				a.parents++
			}
		}
	}
	for base, n := range a.bases {
		if n < 3 {
			delete(a.bases, base) // three inserts that agree are no coincidence
		}
	}
	return a
}

// The attack finds the hash table and the directories in a trace, and nothing in its redacted form.
func TestAttack(t *testing.T) {
	trace := traces(t)["../traces/run1.pb"]
	if a := attacked(t, trace); len(a.bases) == 0 || a.parents < 20 {
		t.Fatalf("the attack finds nothing where there is something: %+v", a)
	}
	if a := attacked(t, redacted(t, trace, Options{Extensions: true})); len(a.bases) != 0 || a.parents != 0 {
		t.Errorf("%+v", a)
	}
}

// values calls number or text for every value in a record or a header.
func values(v reflect.Value, number func(uint64), text func(string)) {
	switch v.Kind() {
	case reflect.Pointer:
		if m, ok := v.Interface().(proto.Message); ok && !v.IsNil() {
			messageValues(m.ProtoReflect(), number, text)
		} else if !v.IsNil() {
			values(v.Elem(), number, text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			values(v.Field(i), number, text)
		}
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		number(v.Uint())
	case reflect.Int32, reflect.Int64:
		number(uint64(v.Int()))
	case reflect.String:
		text(v.String())
	}
}

func messageValues(m protoreflect.Message, number func(uint64), text func(string)) {
	one := func(f protoreflect.FieldDescriptor, v protoreflect.Value) {
		switch x := v.Interface().(type) {
		case protoreflect.Message:
			messageValues(x, number, text)
		case string:
			text(x)
		case []byte:
			text(string(x))
		default:
			values(reflect.ValueOf(x), number, text)
		}
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if !f.IsList() {
			one(f, v)
			return true
		}
		for i := range v.List().Len() {
			one(f, v.List().Get(i))
		}
		return true
	})
}

// forms returns the traces in their own form, and with leaf calls that are one event each.
func forms(t *testing.T) map[string][]byte {
	all := traces(t)
	for name, trace := range maps.Clone(all) {
		leaves, err := tracetest.JoinLeaves(trace)
		if err != nil {
			t.Fatal(err)
		}
		all[name+" leaves"] = leaves
	}
	return all
}

// events returns the events among the records, and their entries.
func events(all []schema.Record) (out []*schema.Event) {
	for _, r := range all {
		if e, ok := r.(*schema.Event); ok {
			if out = append(out, e); e.Entry != nil {
				out = append(out, e.Entry)
			}
		}
	}
	return out
}

// No address, hash, name or date of the trace is left in its redacted form.
func TestNothingIsLeft(t *testing.T) {
	for file, trace := range forms(t) {
		pages, hashes, names := make(map[uint64]bool), make(map[uint64]bool), make(map[string]bool)
		h, all := records(t, trace)
		for _, e := range events(all) {
			for _, a := range append(pointers(e), &e.Bucket) {
				if !isNoAddress(*a) {
					pages[*a>>pageShift] = true
				}
			}
			if e.Hash > 1<<20 {
				hashes[uint64(e.Hash)] = true
			}
			for _, name := range strings.Split(e.Name+"/"+e.Comm, "/") {
				if len(name) > 4 {
					names[name] = true
				}
			}
		}
		pages[h.GetLayout().GetDentryHashtable()>>pageShift] = true
		secret := append([]string{h.BootId, string(h.RunId), h.GetKernel().GetVersion()}, h.Command...)
		out, left := records(t, redacted(t, trace, Options{}))
		number := func(v uint64) {
			if pages[v>>pageShift] && !isNoAddress(v) || hashes[v] {
				t.Errorf("%s: %#x is left", file, v)
			}
		}
		text := func(s string) {
			for _, name := range append(strings.Split(s, "/"), s) {
				if names[name] && !isTemporary(name) {
					t.Errorf("%s: %q is left", file, name)
				}
			}
			for _, word := range secret {
				if len(word) > 4 && strings.Contains(s, word) {
					t.Errorf("%s: %q is left", file, word)
				}
			}
		}
		values(reflect.ValueOf(out), number, func(s string) {
			if k := out.GetKernel(); s != k.GetRelease() && s != k.GetMachine() {
				text(s)
			}
		})
		if out.StartUnixNs != 0 || out.StartBootNs != 0 || len(pages) < 2 || len(names) < 2 {
			t.Errorf("%s: %v", file, out)
		}
		for _, r := range left {
			values(reflect.ValueOf(r), number, text)
		}
	}
}

// The return value of an event with an unknown role is treated as an address.
func TestRolesToCome(t *testing.T) {
	const address = 0xffff888101234567
	var trace bytes.Buffer
	w, err := schema.NewWriter(&trace, tracetest.Header())
	if err == nil {
		err = w.Append(&schema.Event{Role: schema.RoleEnd + 9, Phase: schema.Exit, Columns: 1<<schema.ColumnRet | 1<<30, Ret: address})
	}
	if err := errors.Join(err, w.Close(&schema.Footer{})); err != nil {
		t.Fatal(err)
	}
	_, all := records(t, redacted(t, trace.Bytes(), Options{}))
	if e := events(all)[0]; e.Ret>>pageShift == address>>pageShift || e.Columns != 1<<schema.ColumnRet {
		t.Errorf("%#x is left of %#x; columns %#x", e.Ret, uint64(address), e.Columns)
	}
}
