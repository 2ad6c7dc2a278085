// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Attacks returns what makes files that cost their reader memory or time, of every kind. n is the number of
// events, or of packets that are read, in each.
func Attacks(n int) map[string]func() []byte {
	all := malformed(1_000_000, n)
	for name, play := range costly {
		all[name] = func() []byte { return trace(func(emit emit) { play(n, emit) }) }
	}
	return all
}

// packet returns a Trace.packet with one field set.
func packet(field protowire.Number, body []byte) []byte {
	inner := protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), body)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner)
}

// file returns a file with a header, and a frame for each of frames.
func file(frames ...[]byte) []byte {
	h := Header()
	h.FormatVersion = schema.FormatVersion
	body, _ := proto.Marshal(h)
	return compressed(append([][]byte{packet(1, body)}, frames...)...)
}

func compressed(frames ...[]byte) (out []byte) {
	enc, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true)) // fails only for wrong options
	for _, f := range frames {
		out = enc.EncodeAll(f, out)
	}
	return out
}

// repeated returns a message with a bytes field n times.
func repeated(field protowire.Number, value []byte, n int) []byte {
	one := protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), value)
	return bytes.Repeat(one, n)
}

// malformed returns files whose packets break the format: with n elements where a reader refuses them, and
// fewer where it reads them.
func malformed(n, fewer int) map[string]func() []byte {
	rows := func(fields ...protowire.Number) []byte {
		var batch []byte
		for _, f := range fields {
			batch = append(batch, repeated(f, make([]byte, n), 1)...)
		}
		return packet(2, batch)
	}
	loss, _ := proto.Marshal(&schema.Loss{Cause: 1, Count: 1, FirstNs: 1, LastNs: 2})
	program := func(p *schema.Program) []byte { b, _ := proto.Marshal(p); return packet(4, b) }
	small := program(&schema.Program{Name: "p", Source: strings.Split(strings.Repeat("x\n", 4000), "\n")})
	zeros := make([]byte, 50<<20)
	header := file()
	return map[string]func() []byte{
		"bomb-first":           func() []byte { return compressed(zeros) },
		"bomb-later":           func() []byte { return file(zeros, zeros) },
		"strings-empty":        func() []byte { return file(packet(2, repeated(3, nil, n))) },
		"rows-of-kinds":        func() []byte { return file(rows(4, 5, 6)) },
		"rows-of-dentries":     func() []byte { return file(rows(15, 16, 17, 18, 19)) },
		"rows-of-events":       func() []byte { return file(rows(32, 33, 34, 35)) },
		"probes":               func() []byte { return compressed(packet(1, repeated(9, nil, n))) },
		"words":                func() []byte { return compressed(packet(1, repeated(8, nil, n))) },
		"header-of-50-MB":      func() []byte { return compressed(packet(1, repeated(8, zeros[:15<<20], 1))) },
		"program-of-50-MB":     func() []byte { return file(program(&schema.Program{Name: "p", Stdout: zeros[:15<<20]})) },
		"program-of-lines":     func() []byte { return file(packet(4, repeated(3, nil, n))) },
		"programs":             func() []byte { return file(slices.Repeat([][]byte{small}, fewer/40)...) },
		"losses-in-one-packet": func() []byte { return file(packet(0, nil), repeated(1, repeated(3, loss, n/4), 1)) },
		"losses":               func() []byte { return file(bytes.Repeat(packet(3, loss), n)) },
		"footers":              func() []byte { return file(bytes.Repeat(packet(5, nil), n)) },
		"empty-packets":        func() []byte { return file(bytes.Repeat(packet(0, nil), n)) },
		"headers":              func() []byte { return append(header, bytes.Repeat(header, n/1000)...) },
		"frames-in-frames":     func() []byte { return append(header, nested(n)...) },
	}
}

// nested returns frames each of whose only block holds the beginning of the next one: from each, all that
// follow are walked before it is found to be no frame.
func nested(n int) []byte {
	unit := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0, 6 << 3, 0, 0} // header, raw block of 6 bytes
	return bytes.Repeat(unit, n)
}

// trace returns a complete trace of the events passed to emit, with times, and a task where they have none.
func trace(play func(emit)) []byte {
	var now uint64
	b, err := Bytes(func(write func(*schema.Event)) {
		play(func(e schema.Event) {
			now++
			e.Time = 1e9 + now*977
			e.Columns = e.Role.Shape(e.Phase).Columns
			if e.PID == 0 {
				e.PID, e.TID, e.Comm = 7, 7, "seven"
			}
			write(&e)
		})
	})
	if err != nil {
		panic(err) // the events are wrong
	}
	return b
}
