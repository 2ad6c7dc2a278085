// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bufio"
	"fmt"
	"io"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of Perfetto's trace.proto and of the files that it imports.
const (
	tracePacket = 1 // Trace

	packetTime       = 8 // TracePacket
	packetSequence   = 10
	packetTrackEvent = 11
	packetClock      = 58
	packetTrack      = 60

	trackUUID    = 1 // TrackDescriptor
	trackName    = 2
	trackProcess = 3
	trackThread  = 4

	processPID  = 1 // ProcessDescriptor
	processName = 6
	threadPID   = 1 // ThreadDescriptor
	threadTID   = 2
	threadName  = 5

	eventAnnotation  = 4 // TrackEvent
	eventType        = 9
	eventTrack       = 11
	eventCategory    = 22
	eventName        = 23
	eventFlow        = 47
	eventTerminating = 48

	annotationUint   = 3 // DebugAnnotation
	annotationString = 6
	annotationName   = 10

	sliceBegin = 1 // TrackEvent.Type
	sliceEnd   = 2
	instant    = 3

	bootTime = 6 // BUILTIN_CLOCK_BOOTTIME
)

// lossTrack is the id of the track of losses. The track of a thread is tracks plus its thread id.
const (
	lossTrack = 1
	tracks    = 1 << 32
)

var _ = register(Format{"perfetto", "a timeline for ui.perfetto.dev: calls by thread, dentries as flows", true, writePerfetto})

// writePerfetto writes a timeline. Each thread has a track with a slice for each path call. The alloc,
// insert and kill of a dentry are instants joined by a flow, and losses are instants on a track of their
// own. Times are those of CLOCK_BOOTTIME in nanoseconds.
func writePerfetto(w io.Writer, src replay.Source, _ Options) error {
	p := &perfetto{out: bufio.NewWriterSize(w, 64<<10), m: replay.NewModel(src.Header()), threads: make(map[uint64]string)}
	p.m.Call = p.call
	for {
		record, err := src.Next()
		if err == io.EOF {
			p.m.End()
			return p.out.Flush()
		} else if err != nil {
			p.out.Flush()
			return err
		}
		switch r := record.(type) {
		case *schema.Loss:
			p.loss(r)
		case *schema.Damage:
			p.instant(p.m.State.Now(), p.nameTrack(lossTrack, "lost"), fmt.Sprintf("%d bytes of the trace are damaged", r.Bytes))
		}
		if step := p.m.Record(record); step != nil {
			p.step(step)
		}
		if p.err != nil {
			return p.err
		}
	}
}

type perfetto struct {
	out     *bufio.Writer
	m       *replay.Model
	threads map[uint64]string // by track: the name it was last described with
	packet  []byte
	event   []byte
	err     error
}

// write completes the current packet and writes it.
func (p *perfetto) write() {
	p.packet = protowire.AppendTag(p.packet, packetSequence, protowire.VarintType)
	p.packet = protowire.AppendVarint(p.packet, 1)
	head := protowire.AppendVarint(protowire.AppendTag(nil, tracePacket, protowire.BytesType), uint64(len(p.packet)))
	if _, err := p.out.Write(head); err != nil {
		p.err = err
	}
	if _, err := p.out.Write(p.packet); err != nil {
		p.err = err
	}
	p.packet = p.packet[:0]
}

func appendVarint(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func appendString(b []byte, n protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendMessage(b []byte, n protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), m)
}

// nameTrack describes a track that has only a name, if it has not been described yet, and returns the track.
func (p *perfetto) nameTrack(track uint64, name string) uint64 {
	if p.threads[track] != name {
		p.threads[track] = name
		p.packet = appendMessage(p.packet, packetTrack, appendString(appendVarint(nil, trackUUID, track), trackName, name))
		p.write()
	}
	return track
}

// maxThreads bounds the tracks whose names are remembered. When it is reached, all are forgotten, and a
// thread that has further events is described again.
const maxThreads = 1 << 16

// thread describes the track of a thread, at its first event and whenever its name changes, and returns the
// track.
func (p *perfetto) thread(pid, tid uint32, comm string) uint64 {
	track := tracks + uint64(tid)
	comm = replay.Printable(comm)
	if known, ok := p.threads[track]; ok && known == comm {
		return track
	}
	if len(p.threads) >= maxThreads {
		clear(p.threads)
	}
	p.threads[track] = comm
	d := appendVarint(nil, trackUUID, track)
	if pid == tid {
		d = appendMessage(d, trackProcess, appendString(appendVarint(nil, processPID, uint64(pid)), processName, comm))
	}
	d = appendMessage(d, trackThread, appendString(appendVarint(appendVarint(nil, threadPID, uint64(pid)), threadTID, uint64(tid)), threadName, comm))
	p.packet = appendMessage(p.packet, packetTrack, d)
	p.write()
	return track
}

// begin starts p.event with a type and a track; writeEvent completes and writes it.
func (p *perfetto) begin(kind, track uint64) {
	p.event = appendVarint(appendVarint(p.event[:0], eventType, kind), eventTrack, track)
}

func (p *perfetto) writeEvent(ns uint64) {
	p.packet = appendVarint(appendVarint(p.packet, packetTime, ns), packetClock, bootTime)
	p.packet = appendMessage(p.packet, packetTrackEvent, p.event)
	p.write()
}

func (p *perfetto) instant(ns, track uint64, name string) {
	p.begin(instant, track)
	p.event = appendString(p.event, eventName, name)
	p.writeEvent(ns)
}

func (p *perfetto) note(name, value string) {
	if value != "" {
		p.event = appendMessage(p.event, eventAnnotation, appendString(appendString(nil, annotationName, name), annotationString, value))
	}
}

func (p *perfetto) count(name string, value uint64) {
	p.event = appendMessage(p.event, eventAnnotation, appendVarint(appendString(nil, annotationName, name), annotationUint, value))
}

// call writes a slice. A call without an exit gets no end, which Perfetto shows.
func (p *perfetto) call(c *replay.PathCall) {
	track := p.thread(c.PID, c.TID, c.Comm)
	p.begin(sliceBegin, track)
	p.event = appendString(appendString(p.event, eventCategory, c.Class.String()), eventName, c.Operation+" "+c.Paths())
	p.note("class", c.Class.String())
	if c.Failed() {
		p.note("errno", schema.ErrnoName(c.Errno))
	}
	p.note("resolved", replay.PrintablePath(c.Resolved))
	p.note("fs", replay.Printable(c.FSType))
	p.note("dentry", objectName(c.Dentry))
	p.count("event", c.ID)
	p.count("allocs", uint64(c.Allocs))
	p.count("restarts", uint64(c.Restarts))
	p.writeEvent(c.At)
	if c.End != 0 {
		p.begin(sliceEnd, track)
		p.writeEvent(c.At + c.Took)
	}
}

// step writes an instant when a dentry is allocated, enters the hash table, or ends. The flow id is the
// dentry's number.
func (p *perfetto) step(s *replay.Step) {
	e, d := s.Event, s.Object
	begins := e.Role.Is(schema.TraitBegins) && e.Phase == schema.Exit
	ends := e.Role.Is(schema.TraitEnds)
	if d == nil || !begins && !ends && !e.Columns.Has(schema.ColumnBucket) {
		return
	}
	p.begin(instant, p.thread(e.PID, e.TID, e.Comm))
	p.event = appendString(appendString(p.event, eventCategory, "dentry"), eventName, fmt.Sprintf("%s D%d %s", e.Role.Label(), d.Seq, replay.Printable(d.Name)))
	p.count("event", e.ID)
	flow := protowire.Number(eventFlow)
	if ends && d.Ended() {
		flow = eventTerminating
	}
	p.event = protowire.AppendFixed64(protowire.AppendTag(p.event, flow, protowire.Fixed64Type), d.Seq)
	p.writeEvent(e.Time)
}

func (p *perfetto) loss(l *schema.Loss) {
	what := "events"
	if l.Role != schema.Role_ROLE_UNSPECIFIED {
		what = l.Role.Label()
	}
	p.instant(l.FirstNs, p.nameTrack(lossTrack, "lost"), fmt.Sprintf("%d × %s lost: %s", l.Count, what, l.Cause.Label()))
}
