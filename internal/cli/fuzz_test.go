// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"github.com/klauspost/compress/zstd"
)

// FuzzReading changes the decompressed bytes of a trace, so that no checksum catches it, and runs every
// command that reads one: each must end, JSON output must be valid, and a page must contain no active
// HTML.
func FuzzReading(f *testing.F) {
	b, err := tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(60, emit) })
	if err != nil {
		f.Fatal(err)
	}
	dec, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := io.ReadAll(dec)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)/3])
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		trace := string(enc.EncodeAll(raw, nil))
		for _, args := range [][]string{{"info"}, {"summary"}, {"top", "--of", "misses"}, {"check"}, {"check", "--without", "insert"}, {"report", "--explain", "hash"}, {"replay"}, {"replay", "--format", "json"}, {"replay", "--format", "dmesg"}} {
			var out bytes.Buffer
			Run(append(args, "-"), strings.NewReader(trace), &out, io.Discard)
			checkPlainText(t, strings.Join(args, " "), out.String())
			switch args[len(args)-1] {
			case "hash":
				checkDeadPage(t, "report", out.String())
			case "json":
				for d := json.NewDecoder(&out); d.More(); {
					var v any
					if err := d.Decode(&v); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}
