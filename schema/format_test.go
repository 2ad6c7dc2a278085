// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

func formatText(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// block returns the contents of the only fenced block of a language.
func block(t *testing.T, text, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "```"+language+"\n")
	body, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatalf("no block %s", language)
	}
	return body
}

var (
	heading  = regexp.MustCompile("^### (Message|Enum) `(\\w+)`$")
	tableRow = regexp.MustCompile("^\\| (\\d+) \\| `(\\w+)` \\| ([^|]*) \\|")
)

// documented reads the tables of FORMAT.md: "Message.number" to "name type", and "Enum.number" to "name".
func documented(text string) map[string]string {
	rows := make(map[string]string)
	var kind, name string
	for line := range strings.SplitSeq(text, "\n") {
		if m := heading.FindStringSubmatch(line); m != nil {
			kind, name = m[1], m[2]
			rows[name] = kind
		} else if m := tableRow.FindStringSubmatch(line); m != nil && kind == "Message" {
			rows[name+"."+m[1]] = m[2] + " " + m[3]
		} else if m != nil {
			rows[name+"."+m[1]] = m[2]
		}
	}
	return rows
}

// Every message, field and enum value of the proto is in FORMAT.md, and FORMAT.md has no other.
func TestFormatTablesAreTheProto(t *testing.T) {
	want := make(map[string]string)
	file := schema.File_trace_proto
	for i := range file.Messages().Len() {
		m := file.Messages().Get(i)
		want[string(m.Name())] = "Message"
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			want[fmt.Sprintf("%s.%d", m.Name(), f.Number())] = string(f.Name()) + " " + typeName(f)
		}
	}
	for i := range file.Enums().Len() {
		e := file.Enums().Get(i)
		want[string(e.Name())] = "Enum"
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			want[fmt.Sprintf("%s.%d", e.Name(), v.Number())] = string(v.Name())
		}
	}
	if d := gocmp.Diff(want, documented(formatText(t))); d != "" {
		t.Errorf("trace.proto and FORMAT.md differ (-proto +text):\n%s", d)
	}
}

func typeName(f protoreflect.FieldDescriptor) string {
	name := f.Kind().String()
	if f.Message() != nil {
		name = string(f.Message().Name())
	} else if f.Enum() != nil {
		name = string(f.Enum().Name())
	}
	if f.IsList() {
		return "repeated " + name
	}
	return name
}

func TestFormatBoundsAreTheCode(t *testing.T) {
	text := formatText(t)
	for _, want := range []string{
		fmt.Sprintf("at most %d MiB, compressed and decompressed", schema.MaxFrameBytes>>20),
		fmt.Sprintf("at most %d.", schema.MaxBatchEvents),
		fmt.Sprintf("| events of a batch | %d |", schema.MaxBatchEvents),
		fmt.Sprintf("| rows of a table of a batch, strings included | %d |", schema.MaxTableRows),
		fmt.Sprintf("| bytes of a string of a batch | %d |", schema.MaxStringBytes),
		fmt.Sprintf("| probes of a header | %d |", schema.MaxProbes),
		fmt.Sprintf("| words of a command | %d |", schema.MaxWords),
		fmt.Sprintf("| lines of a Program's source | %d |", schema.MaxLines),
		fmt.Sprintf("| bytes of a Program | %d |", schema.MaxProgramBytes),
		fmt.Sprintf("| bytes of a header | %d |", schema.MaxHeaderBytes),
		fmt.Sprintf("# The dtrec trace file, version %d\n", schema.FormatVersion),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("FORMAT.md does not say %q", want)
		}
	}
}

// The bytes of the example in FORMAT.md are what its notes say, are read as the events that it lists, and
// are what the Writer makes of these.
func TestFormatExample(t *testing.T) {
	text := formatText(t)
	listing := block(t, text, "hex")
	raw := hexBytes(t, listing)
	var annotated strings.Builder
	annotate(&annotated, raw, (&schema.Trace{}).ProtoReflect().Descriptor(), 0)
	if d := gocmp.Diff(listing, annotated.String()); d != "" {
		t.Errorf("the notes beside the bytes are wrong (-text +should be):\n%s", d)
	}
	enc, _ := zstd.NewWriter(nil)
	r, err := schema.NewReader(bytes.NewReader(enc.EncodeAll(raw, nil)), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var again bytes.Buffer
	w, err := schema.NewWriter(&again, r.Header())
	if err != nil {
		t.Fatal(err)
	}
	var events strings.Builder
	for rec, err := r.Next(); err != io.EOF; rec, err = r.Next() {
		switch rec := rec.(type) {
		case *schema.Event:
			events.WriteString(eventLine(rec))
			err = w.Append(rec)
		case *schema.Footer:
			err = w.Close(rec)
		default:
			t.Fatalf("%T %v", rec, err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if d := gocmp.Diff(block(t, text, "events"), events.String()); d != "" {
		t.Errorf("events (-text +read):\n%s", d)
	}
	dec, _ := zstd.NewReader(&again)
	written, err := io.ReadAll(dec)
	if err != nil {
		t.Fatal(err)
	}
	var want, got schema.Trace
	if err := cmp.Or(proto.Unmarshal(raw, &want), proto.Unmarshal(written, &got)); err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(&want, &got, protocmp.Transform()); d != "" {
		t.Errorf("the Writer makes something else (-text +written):\n%s", d)
	}
}

// The same example in version 2 is read as the same events.
func TestFormatVersion2(t *testing.T) {
	listing, err := os.ReadFile("testdata/version2.hex")
	if err != nil {
		t.Fatal(err)
	}
	enc, _ := zstd.NewWriter(nil)
	got := read(t, enc.EncodeAll(hexBytes(t, string(listing)), nil), 0)
	var events strings.Builder
	for i := range got.events {
		events.WriteString(eventLine(&got.events[i]))
	}
	if d := gocmp.Diff(block(t, formatText(t), "events"), events.String()); d != "" || got.failure != nil || len(got.damage) > 0 {
		t.Errorf("error %v, damage %v, events (-text +read):\n%s", got.failure, got.damage, d)
	}
}

func hexBytes(t *testing.T, listing string) []byte {
	t.Helper()
	var raw []byte
	for line := range strings.Lines(listing) {
		for _, word := range strings.Fields(line) {
			b, err := strconv.ParseUint(word, 16, 8)
			if err != nil || len(word) != 2 {
				break
			}
			raw = append(raw, byte(b))
		}
	}
	return raw
}

// annotate writes the fields of a message, one per line, with the bytes on the left.
func annotate(out *strings.Builder, b []byte, d protoreflect.MessageDescriptor, depth int) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		f := d.Fields().ByNumber(num)
		size := n + protowire.ConsumeFieldValue(num, typ, b[n:])
		field, value := b[:size], b[n:size]
		b = b[size:]
		if f.Message() != nil {
			body, _ := protowire.ConsumeBytes(value)
			hexLine(out, field[:size-len(body)], depth, fmt.Sprintf("%s: %s, %d bytes", f.Name(), f.Message().Name(), len(body)))
			annotate(out, body, f.Message(), depth+1)
			continue
		}
		hexLine(out, field, depth, fmt.Sprintf("%s = %s", f.Name(), values(f, value)))
	}
}

func hexLine(out *strings.Builder, b []byte, depth int, note string) {
	for part := range slices.Chunk(b, 16) {
		fmt.Fprintf(out, "%-47s", fmt.Sprintf("% x", part))
		if b = b[len(part):]; len(b) > 0 {
			out.WriteString("\n")
		}
	}
	fmt.Fprintf(out, "  %s%s\n", strings.Repeat("  ", depth), note)
}

func values(f protoreflect.FieldDescriptor, b []byte) string {
	if !f.IsPacked() {
		if f.Kind() == protoreflect.BytesKind || f.Kind() == protoreflect.StringKind {
			s, _ := protowire.ConsumeBytes(b)
			return strconv.Quote(string(s))
		}
		v, _ := protowire.ConsumeVarint(b)
		return strconv.FormatUint(v, 10)
	}
	b, _ = protowire.ConsumeBytes(b)
	var out []string
	for len(b) > 0 {
		var n int
		var s string
		if f.Kind() == protoreflect.Fixed32Kind {
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			s = fmt.Sprintf("%#x", v)
		} else {
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			s = strconv.FormatUint(v, 10)
			if f.Kind() == protoreflect.Sint64Kind {
				s = deltaText(protowire.DecodeZigZag(v))
			}
		}
		out, b = append(out, s), b[n:]
	}
	return strings.Join(out, " ")
}

// deltaText returns a small difference as a number, and a large one as the address that it is.
func deltaText(d int64) string {
	if -1<<16 < d && d < 1<<16 {
		return strconv.FormatInt(d, 10)
	}
	return fmt.Sprintf("%#x", uint64(d))
}

// eventLine returns an event in the form of the events block of FORMAT.md.
func eventLine(e *schema.Event) string {
	s := fmt.Sprintf("#%d %d cpu %d %s %d/%d %s %s", e.ID, e.Time, e.CPU, e.Comm, e.PID, e.TID, e.Role.Label(), e.Phase.Label())
	dentry := e.Columns.Has(schema.ColumnDentry)
	switch {
	case dentry && e.Dentry == 0:
		s += " dentry NULL"
	case dentry:
		s += fmt.Sprintf(" dentry %#x", e.Dentry)
	}
	if e.Parent != 0 {
		s += fmt.Sprintf(" parent %#x", e.Parent)
	}
	if e.Name != "" {
		s += fmt.Sprintf(" name %q length %d", e.Name, e.NameLen)
	}
	if e.Hash != 0 {
		s += fmt.Sprintf(" hash %#x facts %d", e.Hash, e.Facts)
	}
	if e.NameAddr != 0 {
		s += fmt.Sprintf(" name_address %#x", e.NameAddr)
	}
	if dentry && e.Dentry != 0 {
		s += fmt.Sprintf(" inode %d", e.Inode)
	}
	if e.Columns.Has(schema.ColumnOpen) {
		s += fmt.Sprintf(" flags %#x", e.Flags)
	}
	if e.Columns.Has(schema.ColumnBucket) {
		s += fmt.Sprintf(" bucket %#x", e.Bucket)
	}
	if e.Columns.Has(schema.ColumnRet) {
		s += fmt.Sprintf(" ret %d", int64(e.Ret))
	}
	if e.Columns.Has(schema.ColumnFilesystem) && e.FSType == "" {
		s += " filesystem none"
	}
	return s + "\n"
}

// Traces recorded by every released version can be read to their last event.
func TestSampleTracesRead(t *testing.T) {
	for name, b := range tracetest.Files(t, "../traces/*.pb") {
		got := read(t, b, 0)
		if got.failure != nil || got.footer == nil || len(got.damage) > 0 || uint64(len(got.events)) != got.footer.GetEvents() {
			t.Errorf("%s: error %v, damage %v, %d events, footer %v", name, got.failure, got.damage, len(got.events), got.footer)
		}
	}
}
