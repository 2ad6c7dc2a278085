// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// traces returns recordings of real kernels.
func traces(t *testing.T) map[string][]byte {
	t.Helper()
	return maps.Collect(tracetest.Files(t, "../traces/*.pb", "../test/cases/*.pb"))
}

func opener(trace []byte) Source {
	return func() (*schema.Reader, error) { return schema.NewReader(bytes.NewReader(trace), 0) }
}

func redacted(t *testing.T, trace []byte, o Options) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Trace(&out, opener(trace), "test", o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// records reads a trace to its end. Events are copies.
func records(t *testing.T, trace []byte) (h *schema.Header, all []schema.Record) {
	t.Helper()
	r, err := opener(trace)()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		record, err := r.Next()
		if err == io.EOF {
			return r.Header(), all
		} else if err != nil {
			t.Fatal(err)
		}
		if e, ok := record.(*schema.Event); ok {
			record = e.Clone()
		}
		all = append(all, record)
	}
}

func judged(t *testing.T, trace []byte) *report.Findings {
	t.Helper()
	r, err := opener(trace)()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := report.Judge(r, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Claims that need no hash keep their verdicts; those that do become unproven.
func TestVerdictsStay(t *testing.T) {
	for name, trace := range traces(t) {
		before, after := judged(t, trace), judged(t, redacted(t, trace, Options{}))
		for _, k := range report.Kinds() {
			want := before.Tally[k.Kind]
			if k.Kind == report.Hash || k.Kind == report.Bucket {
				want[report.Unproven] += want[report.Proven] + want[report.Refuted]
				want[report.Proven], want[report.Refuted] = 0, 0
			}
			if got := after.Tally[k.Kind]; got != want {
				t.Errorf("%s: %s: %v, want %v", name, k.Name, got, want)
			}
		}
		if before.Events != after.Events || before.Lost != after.Lost {
			t.Errorf("%s: %d events, %d lost; were %d, %d", name, after.Events, after.Lost, before.Events, before.Lost)
		}
	}
}

// Tasks, devices and addresses that are equal stay equal, and different ones stay different.
func TestNumbersStayApart(t *testing.T) {
	for name, trace := range maps.Collect(tracetest.Files(t, "../traces/*.pb", "../test/*.pb", "../test/*/*.pb")) {
		_, before := records(t, trace)
		_, after := records(t, redacted(t, trace, Options{}))
		tasks, devices, addresses := newPairs(), newPairs(), newPairs()
		for i, record := range before {
			if was, ok := record.(*schema.Event); ok {
				is := after[i].(*schema.Event)
				for ; was != nil; was, is = was.Entry, is.Entry {
					wrong := tasks.add(uint64(was.PID), uint64(is.PID)) || tasks.add(uint64(was.TID), uint64(is.TID)) ||
						tasks.add(uint64(was.Child), uint64(is.Child)) || devices.add(uint64(was.Dev), uint64(is.Dev))
					for k, p := range pointers(was) {
						wrong = wrong || addresses.add(*p, *pointers(is)[k])
					}
					if wrong {
						t.Fatalf("%s: #%d: %v, was %v", name, was.ID, is, was)
					}
				}
			}
		}
	}
}

// pairs checks that values before and after correspond one to one.
type pairs struct{ after, before map[uint64]uint64 }

func newPairs() pairs { return pairs{make(map[uint64]uint64), make(map[uint64]uint64)} }

// add records a pair and reports whether it contradicts an earlier one.
func (p pairs) add(was, is uint64) (wrong bool) {
	after, seen := p.after[was]
	before, given := p.before[is]
	p.after[was], p.before[is] = is, was
	return seen && after != is || given && before != was || (was == 0) != (is == 0)
}

// Every field of an event is either redacted, or listed here as revealing nothing.
func TestEveryFieldIsLookedAt(t *testing.T) {
	harmless := []string{"ID", "CPU", "Role", "Phase", "Columns", "NameLen", "Facts", "Flags", "Mode", "DirFD", "FSType", "Symbol", "How"}
	redacted := []string{"Time", "PID", "TID", "Comm", "Parent", "Name", "Hash", "NameAddr", "Dentry", "Inode", "Ret", "Dev", "Bucket", "Target", "Start", "Entered", "Child", "Ino", "Cgroup", "Entry"}
	known := make(map[string]bool)
	for _, f := range append(harmless, redacted...) {
		known[f] = true
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[schema.Event]()) {
		if !known[f.Name] {
			t.Errorf("schema.Event.%s: what does it give away?", f.Name)
		}
	}
}

// Equal names have equal tokens of their own length, and different names different tokens, even if there
// are more names than letters.
func TestNames(t *testing.T) {
	n := newNames(Options{})
	seen := make(map[string]string)
	check := func(name string) {
		token, err := n.component(name)
		again, _ := n.component(name)
		if err != nil || token != again || len(token) != len(name) || token == name && len(name) > 4 || strings.ContainsAny(token, "/\x00") {
			t.Errorf("%q: %q, %q, %v", name, token, again, err)
		}
		if before, ok := seen[token]; ok && before != name {
			t.Errorf("%q and %q are both %q", before, name, token)
		}
		seen[token] = name
	}
	for c := 1; c < 256; c++ {
		if c != '/' && c != '.' {
			check(string([]byte{byte(c)}))
		}
	}
	for i := range 5000 {
		check(fmt.Sprint(i))
		check(fmt.Sprintf("a rather long name %d", i))
	}
	for _, name := range []string{"", "/", ".", ".."} {
		if got, _ := n.component(name); got != name {
			t.Errorf("%q: %q", name, got)
		}
	}
	if got, _ := n.component("#123"); !isTemporary(got) {
		t.Errorf("#123: %q", got)
	}
	path, _ := n.path("/usr/lib/x.so")
	lib, _ := n.path("/usr/lib/")
	if !strings.HasPrefix(path, lib) {
		t.Errorf("%q does not begin with %q", path, lib)
	}
	n.Extensions = true
	for name, want := range map[string]string{"x.so": ".so", "libc.so.6": ".6", ".bashrc": "", "a.verylongone": ""} {
		if got, _ := n.component(name); len(got) != len(name) || !strings.HasSuffix(got, want) || want == "" && strings.HasSuffix(got, name[1:]) {
			t.Errorf("%s: %q, want one that ends with %q", name, got, want)
		}
	}
}

// Two traces redacted with the same key have the same tokens, and with different keys not.
func TestKey(t *testing.T) {
	trace := traces(t)["../traces/run1.pb"]
	named := func(o Options) (names []string) {
		_, all := records(t, redacted(t, trace, o))
		for _, r := range all {
			if e, ok := r.(*schema.Event); ok {
				names = append(names, e.Name)
			}
		}
		return names
	}
	one := named(Options{Key: []byte("0123456789abcdef")})
	if d := cmp.Diff(one, named(Options{Key: []byte("0123456789abcdef")})); d != "" {
		t.Error(d)
	}
	if reflect.DeepEqual(one, named(Options{})) {
		t.Error("a key that nobody knows made the same names")
	}
}

// The difference between two addresses in a run of pages stays, and the one between two runs does not.
func TestAddresses(t *testing.T) {
	p := &addresses{pages: make(map[uint64]uint64)}
	const a, b, far = 0xffff888012345fc0, 0xffff888012346040, 0xffff888099999000
	for _, v := range []uint64{a, b, far, 0, 5, ^uint64(1)} {
		if err := p.add(v); err != nil {
			t.Fatal(err)
		}
	}
	p.assign()
	if p.redacted(b)-p.redacted(a) != b-a || p.redacted(a) == a || p.redacted(a)&0xfff != a&0xfff || p.redacted(far)-p.redacted(a) == far-a {
		t.Errorf("%#x %#x %#x", p.redacted(a), p.redacted(b), p.redacted(far))
	}
	for _, v := range []uint64{0, 5, ^uint64(1), ^uint64(4094)} {
		if p.redacted(v) != v {
			t.Errorf("%#x became %#x", v, p.redacted(v))
		}
	}
	for i := uint64(0); ; i++ {
		if err := p.add(i << 13 << pageShift); err != nil {
			if !errors.Is(err, ErrTooMuch) || i < maxPages/2 {
				t.Errorf("%d: %v", i, err)
			}
			break
		}
	}
}

// A cut trace gives a cut one, and a damaged trace an error.
func TestCutAndDamaged(t *testing.T) {
	trace := traces(t)["../traces/run1.pb"]
	cut := redacted(t, trace[:len(trace)*2/3], Options{})
	if f := judged(t, cut); f.Footer != nil || f.Events == 0 {
		t.Errorf("%d events, footer %v", f.Events, f.Footer)
	}
	broken := bytes.Clone(trace)
	copy(broken[len(broken)/2:], make([]byte, 200))
	var damaged *DamagedError
	if err := Trace(io.Discard, opener(broken), "test", Options{}); !errors.As(err, &damaged) {
		t.Errorf("%v", err)
	}
	full := errors.New("full")
	if err := Trace(writer(func([]byte) (int, error) { return 0, full }), opener(trace), "test", Options{}); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
