// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"log"
	"os"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
)

// makeTrace is the scripts' maketrace command: it writes a generated trace, whole or broken, to a file.
func makeTrace() {
	events := flag.Int("events", 200, "at least so many `events`")
	frame := flag.Int("frame", 50, "events in a frame")
	cut := flag.Int("cut", 0, "cut so many `bytes` off the end")
	head := flag.Int("head", 0, "keep only so many `bytes`")
	zipped := flag.Bool("gzip", false, "compressed by gzip")
	twice := flag.Bool("twice", false, "compressed by zstd once more")
	damage := flag.Bool("damage", false, "flip bits in a frame in the middle")
	runs := flag.Int("runs", 1, "so many runs one after the other")
	loss := flag.Bool("loss", false, "with loss records and a program in the middle")
	full := flag.Bool("full", false, "with every probe attached")
	wrong := flag.Bool("wrong", false, "with one wrong hash")
	version := flag.Uint("version", schema.FormatVersion, "format `version` in the header")
	flag.Parse()
	var file []byte
	for range *runs {
		file = append(file, oneRun(*events, *frame, *loss, *full, *wrong)...)
	}
	if *version != schema.FormatVersion {
		file = futureTrace(uint32(*version))
	}
	if *damage {
		for i := range 8 {
			file[len(file)/2+i] ^= 0x5a
		}
	}
	if *head > 0 {
		file = file[:*head]
	}
	if *twice {
		file = compress(file)
	}
	if *zipped {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		_, err := z.Write(file)
		check(errors.Join(err, z.Close()))
		file = buf.Bytes()
	}
	if err := os.WriteFile(flag.Arg(0), file[:len(file)-*cut], 0o600); err != nil {
		log.Fatal(err)
	}
}

func oneRun(events, frame int, loss, full, wrong bool) []byte {
	var buf bytes.Buffer
	header := scriptHeader()
	if full {
		header = tracetest.Header()
	}
	w, err := schema.NewWriter(&buf, header)
	check(err)
	n := 0
	tracetest.Generate(events, func(e *schema.Event) {
		if wrong && e.Role == schema.RoleLookupRCU && e.Phase == schema.Enter {
			e.Hash, wrong = e.Hash+1, false
		}
		check(w.Append(e))
		if n++; n%frame == 0 {
			check(w.Flush())
		}
		if loss && n == events/2 {
			writeLoss(w, e.Time)
		}
	})
	check(w.Close(&schema.Footer{EndNs: 3e9, EndedBy: "command", ExitCode: 7}))
	return buf.Bytes()
}

func scriptHeader() *schema.Header {
	h := tracetest.Header()
	h.BootId = "b00t-1d"
	h.StartUnixNs, h.StartBootNs = 1767323045_123456789, 999_000_000
	h.Command = []string{"sh", "-c", "cat 'a b'"}
	h.Target = "the process tree of 1000"
	h.Probe = append(h.Probe[:0],
		&schema.Probe{Role: schema.RoleOpen, Phase: schema.Enter, Symbol: "do_file_open", Attach: schema.Attach_ATTACH_FENTRY, Error: "not in this kernel", Required: true},
		&schema.Probe{Role: schema.RoleOpen, Phase: schema.Enter, Symbol: "do_filp_open", Attach: schema.Attach_ATTACH_FENTRY, Attached: true, Required: true},
		&schema.Probe{Role: schema.RoleKill, Phase: schema.Enter, Symbol: "__dentry_kill", Attach: schema.Attach_ATTACH_KPROBE, Attached: true})
	return h
}

func writeLoss(w *schema.Writer, now uint64) {
	check(w.Loss(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Role: schema.RoleAlloc, Cpu: 1, Count: 5, FirstNs: now + 1, LastNs: now + 2}))
	check(w.Loss(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_MISSED, Count: 2, FirstNs: now + 1, LastNs: now + 2}))
	check(w.Program(&schema.Program{Name: "tm_miss", Pid: 1001, Source: []string{"int fd1 = open(n3, O_RDONLY);"},
		EndNs: now, ExitCode: 0, Stdout: []byte("tm_miss first open fd=-1\n")}))
}

// futureTrace returns a trace with a header of another format version and nothing else.
func futureTrace(version uint32) []byte {
	h := scriptHeader()
	h.FormatVersion = version
	raw, err := proto.Marshal(&schema.Trace{Packet: []*schema.Packet{{Header: h}}})
	check(err)
	return compress(raw)
}

func compress(raw []byte) []byte {
	enc, err := zstd.NewWriter(nil)
	check(err)
	return enc.EncodeAll(raw, nil)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
