// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func generated(n int) func(func(*schema.Event)) {
	return func(emit func(*schema.Event)) { tracetest.Generate(n, emit) }
}

func bytesOf(t testing.TB, n int) []byte {
	t.Helper()
	b, err := tracetest.Bytes(generated(n))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type reading struct {
	events  []schema.Event
	damage  []schema.Damage
	losses  int
	footer  *schema.Footer
	failure error
}

func read(t testing.TB, b []byte, run int) reading {
	t.Helper()
	r, err := schema.NewReader(bytes.NewReader(b), run)
	if err != nil {
		return reading{failure: err}
	}
	defer r.Close()
	var out reading
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return out
		} else if err != nil {
			out.failure = err
			return out
		}
		switch rec := rec.(type) {
		case *schema.Event:
			out.events = append(out.events, *rec.Clone())
		case *schema.Damage:
			out.damage = append(out.damage, *rec)
		case *schema.Loss:
			out.losses++
		case *schema.Footer:
			out.footer = rec
		}
	}
}

func TestEveryEventComesBack(t *testing.T) {
	var want []schema.Event
	b, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		tracetest.Generate(40000, func(e *schema.Event) {
			e.ID = uint64(len(want) + 1)
			want = append(want, *e)
			emit(e)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, b, 0)
	if d := cmp.Diff(want, got.events); d != "" {
		t.Fatalf("events differ (-written +read):\n%.3000s", d)
	}
	if got.footer == nil || got.footer.Events != uint64(len(want)) || len(got.damage) > 0 || got.failure != nil {
		t.Fatalf("footer %v, damage %v, error %v", got.footer, got.damage, got.failure)
	}
}

func TestCutFileIsReadToItsLastWholeFrame(t *testing.T) {
	b := bytesOf(t, 40000)
	whole := read(t, b, 0).events
	for _, cut := range []int{len(b) / 3, len(b) / 2, len(b) * 9 / 10} {
		got := read(t, b[:cut], 0)
		if got.footer != nil || got.failure != nil {
			t.Fatalf("cut at %d: footer %v, error %v", cut, got.footer, got.failure)
		}
		if len(got.damage) != 1 || !got.damage[0].Cut {
			t.Fatalf("cut at %d: damage %+v, want one cut", cut, got.damage)
		}
		if d := cmp.Diff(whole[:len(got.events)], got.events, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	}
}

func TestDamagedFrameCostsItselfOnly(t *testing.T) {
	b := bytesOf(t, 60000)
	whole := read(t, b, 0).events
	for at := len(b) / 20; at < len(b)-500; at += len(b) / 11 {
		bad := bytes.Clone(b)
		for i := range 8 {
			bad[at+i] ^= 0x5a
		}
		got := read(t, bad, 0)
		if got.failure != nil || got.footer == nil {
			t.Fatalf("damage at %d: error %v, footer %v", at, got.failure, got.footer)
		}
		if len(got.damage) != 1 {
			t.Fatalf("damage at %d reported %d times: %+v", at, len(got.damage), got.damage)
		}
		if n := uint64(len(got.events)) + got.damage[0].Events; n != uint64(len(whole)) {
			t.Errorf("damage at %d: %d read + %d lost = %d, %d were written",
				at, len(got.events), got.damage[0].Events, n, len(whole))
		}
		for _, e := range got.events {
			if d := cmp.Diff(whole[e.ID-1], e); d != "" {
				t.Fatal(d)
			}
		}
	}
}

func TestTwoRunsAreNotMixed(t *testing.T) {
	one, two := bytesOf(t, 100), bytesOf(t, 3000)
	both := append(bytes.Clone(one), two...)
	if got := read(t, both, 0); !errors.Is(got.failure, schema.ErrSecondRun) {
		t.Fatalf("error %v, want ErrSecondRun", got.failure)
	}
	for run, want := range map[int][]byte{1: one, 2: two} {
		if d := cmp.Diff(read(t, want, 0).events, read(t, both, run).events); d != "" {
			t.Fatalf("run %d: %s", run, d)
		}
	}
	if got := read(t, both, 3); !errors.Is(got.failure, schema.ErrNoRun) {
		t.Fatalf("error %v, want ErrNoRun", got.failure)
	}
}

func TestWhatIsNoTraceIsRefused(t *testing.T) {
	enc, _ := zstd.NewWriter(nil)
	future, _ := proto.Marshal(&schema.Trace{Packet: []*schema.Packet{{Header: &schema.Header{FormatVersion: schema.FormatVersion + 1}}}})
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"empty":      {nil, schema.ErrNotTrace},
		"text":       {[]byte("hello, this is no trace at all\n"), schema.ErrNotTrace},
		"one byte":   {[]byte("h"), schema.ErrNotTrace},
		"cut header": {bytesOf(t, 10)[:40], schema.ErrNotTrace},
		"other zstd": {enc.EncodeAll([]byte("hello, this is no trace at all\n"), nil), schema.ErrNotTrace},
		"future":     {enc.EncodeAll(future, nil), schema.ErrVersion},
	} {
		got := read(t, c.in, 0)
		if !errors.Is(got.failure, c.want) {
			t.Errorf("%s: error %v, want %v", name, got.failure, c.want)
		}
		if empty := strings.Contains(got.failure.Error(), "empty"); empty != (len(c.in) == 0) {
			t.Errorf("%s: error %v", name, got.failure)
		}
	}
}

// The joined frames are one protobuf message that the generated code reads too, with the same contents.
func TestFileIsOneProtobufMessage(t *testing.T) {
	two := bytesOf(t, 20000)
	one, err := tracetest.JoinLeaves(two)
	if err != nil {
		t.Fatal(err)
	}
	recording, err := os.ReadFile("../test/git.pb")
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := tracetest.JoinLeaves(recording)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{two, one, leaves} {
		oneMessage(t, b)
	}
}

// messageOf returns a file as one message.
func messageOf(t *testing.T, b []byte) *schema.Trace {
	t.Helper()
	dec, _ := zstd.NewReader(bytes.NewReader(b))
	raw, err := io.ReadAll(dec)
	if err != nil {
		t.Fatal(err)
	}
	trace := new(schema.Trace)
	if err := proto.Unmarshal(raw, trace); err != nil {
		t.Fatal(err)
	}
	return trace
}

func oneMessage(t *testing.T, b []byte) {
	trace := messageOf(t, b)
	if len(trace.ProtoReflect().GetUnknown()) > 0 {
		t.Error("unknown fields in Trace")
	}
	var got []schema.Event
	for _, p := range trace.Packet {
		if p.Events != nil {
			if u := p.Events.ProtoReflect().GetUnknown(); len(u) > 0 {
				t.Fatalf("%d bytes of unknown fields in a batch", len(u))
			}
			got = append(got, slowEvents(p.Events)...)
		}
	}
	if d := cmp.Diff(read(t, b, 0).events, got); d != "" {
		t.Fatalf("hand-written reader and generated code differ:\n%.3000s", d)
	}
}

// FORMAT.md promises that zstdcat and protoc can read the file.
func TestProtocDecodesTheFile(t *testing.T) {
	for _, tool := range []string{"protoc", "zstdcat"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("DTREC_ALL_TOOLS") != "" {
				t.Fatalf("%s is not installed; scripts/install-tools installs it", tool)
			}
			t.Skipf("%s is not installed; make test runs this", tool)
		}
	}
	file := t.TempDir() + "/run.pb"
	if err := os.WriteFile(file, bytesOf(t, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", "zstdcat "+file+" | protoc --decode=dtrec.v1.Trace trace.proto").Output()
	if err != nil {
		t.Fatal(err)
	}
	var trace schema.Trace
	if err := prototext.Unmarshal(out, &trace); err != nil {
		t.Fatal(err)
	}
	first, last := trace.Packet[0], trace.Packet[len(trace.Packet)-1]
	want := tracetest.Header()
	want.FormatVersion = schema.FormatVersion
	if d := cmp.Diff(want.Layout, first.Header.Layout, protocmp.Transform()); d != "" {
		t.Error(d)
	}
	if last.Footer == nil || last.Footer.Events < 5000 {
		t.Errorf("last packet %v, want a footer", last)
	}
}

func TestUnknownFieldsAndRolesAreSkipped(t *testing.T) {
	b, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		k := tracetest.NewKernel(1, emit)
		k.Task(7, "seven")
		k.Open(true, "a")
		emit(&schema.Event{Time: 2e9, Role: 99, Phase: schema.Enter, PID: 7, TID: 7,
			Columns: schema.Columns(0).With(schema.ColumnRet).With(30), Ret: 5})
		k.Open(true, "a")
	})
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, b, 0)
	if len(got.damage) > 0 || got.failure != nil {
		t.Fatalf("damage %v, error %v", got.damage, got.failure)
	}
	found := false
	for _, e := range got.events {
		if e.Role == 99 {
			found = e.Ret == 5 && strings.Contains(e.Role.Label(), "99")
		}
	}
	if !found || got.footer == nil || got.events[len(got.events)-1].Role != schema.RoleOpen {
		t.Fatalf("the events around an unknown role did not survive: %+v", got.events)
	}
}

func TestCatalogueHasEveryRole(t *testing.T) {
	for n, name := range schema.Role_name {
		if n == 0 {
			continue
		}
		info, ok := schema.Role(n).Info()
		if !ok || info.Role != schema.Role(n) || info.Doc == "" {
			t.Errorf("%s has no complete row in the catalogue", name)
		}
		if live := info.Enter != nil || info.Exit != nil; live == strings.HasSuffix(info.Doc, "; imported traces only") {
			t.Errorf("%s: recorded by a probe: %v, and yet %q", name, live, info.Doc)
		}
		if "ROLE_"+strings.ToUpper(info.Name) != name {
			t.Errorf("%s is called %q", name, info.Name)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(bytesOf(f, 200))
	two := bytesOf(f, 50)
	f.Add(append(bytes.Clone(two), two...))
	f.Fuzz(func(t *testing.T, b []byte) {
		read(t, b, 0) // must return, and not panic
	})
}
