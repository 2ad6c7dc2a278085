// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Errors that end a reading; Reader wraps them with details.
var (
	ErrNotTrace  = errors.New("not a dtrec trace")
	ErrVersion   = errors.New("trace format not supported")
	ErrSecondRun = errors.New("more than one run in this file")
	ErrNoRun     = errors.New("no such run in this file")
	ErrInflated  = errors.New("it holds far more than its size allows")
)

// ErrMiscounted is the error of a Damage before a footer that counts fewer events than there are.
var ErrMiscounted = errors.New("the footer counts other events than the file holds")

// Reader reads one run of a trace from front to back, in memory bounded by the largest frame.
type Reader struct {
	frames  frameReader
	dec     *zstd.Decoder
	ahead   aheadDecoder
	frame   *unpacked
	rest    []byte // packets of frame that are still to be read
	header  *Header
	batch   *batchReader // of frame
	event   Event
	entry   Event // what event.Entry points to, if it has one
	nextID  uint64
	damage  *Damage // not reported yet: the next batch tells how many events it cost
	ready   []Record
	footer  *Footer
	run     int // the run wanted, from 1; 0: the only one
	runs    int // headers read
	offset  int64
	decoded int64 // bytes of all frames, decompressed
	stopErr error
	wanted  func(Role) bool // see Only; nil: all are

	// A file of size bytes whose frames can be skipped by its index.
	file        io.ReaderAt
	size        int64
	index       *Index               // nil: the reader has none
	wantedFrame func(frame int) bool // nil: no frame is skipped
}

// NewReader reads the header. run picks one of several concatenated runs, from 1; 0 means that the file
// must hold only one, else Next ends with ErrSecondRun. Errors: ErrNotTrace, ErrVersion, ErrNoRun, or that
// of r.
func NewReader(r io.Reader, run int) (*Reader, error) {
	return newReader(frameReader{r: r}, run)
}

func newReader(frames frameReader, run int) (*Reader, error) {
	t := &Reader{frames: frames, run: run, nextID: 1}
	if err := t.initDecoder(); err != nil {
		return nil, err
	}
	if err := t.findHeader(); err != nil {
		t.dec.Close()
		return nil, err
	}
	return t, nil
}

// Header returns the run's header.
func (t *Reader) Header() *Header { return t.header }

// Complete reports whether the footer was read, so that nothing was cut off.
func (t *Reader) Complete() bool { return t.footer != nil }

// Close frees the decoder. It does not close the underlying reader.
func (t *Reader) Close() {
	t.ahead.forget()
	t.dec.Close()
}

// Next returns the next record, valid until the next call. It returns io.EOF at the end, with or without a
// footer. After any error Next keeps returning that.
func (t *Reader) Next() (Record, error) {
	for {
		if len(t.ready) > 0 {
			r := t.ready[0]
			t.ready = t.ready[1:]
			return r, nil
		}
		if b := t.batch; b.done < b.events {
			b.next(&t.event, &t.entry)
			return &t.event, nil
		}
		if t.stopErr != nil {
			return nil, t.stopErr
		}
		t.advance()
	}
}

// advance reads the next packet, or the next frame after the last packet of this one.
func (t *Reader) advance() {
	if t.decoded+t.frames.work > freeBytes+maxInflation*t.frames.off {
		t.stop(fmt.Errorf("%w: %d bytes in the first %d", ErrInflated, t.decoded+t.frames.work, t.frames.off))
		return
	}
	if len(t.rest) > 0 {
		if err := t.readPacket(); err != nil {
			t.rest = nil
			if errors.Is(err, ErrSecondRun) || errors.Is(err, ErrVersion) || errors.Is(err, ErrIndex) || err == io.EOF {
				t.stop(err)
			} else {
				t.skipDamage(err)
			}
		}
		return
	}
	if t.skipsFrames() && t.damage == nil {
		if t.skipFrames(); len(t.ready) > 0 || t.stopErr != nil {
			return
		}
	}
	frame, offset, err := t.frames.next()
	t.offset = offset
	switch {
	case err == nil:
		if err = t.unpack(frame); err != nil {
			t.skipDamage(err)
			return
		}
		t.rest = t.frame.raw
	case err == errFraming:
		t.skipDamage(err)
	case err == io.ErrUnexpectedEOF && t.runs == 0:
		t.stop(fmt.Errorf("%w: %w", ErrNotTrace, err))
	case err == io.ErrUnexpectedEOF:
		t.addDamage(Damage{Offset: offset, Bytes: int64(len(t.frames.buf)), Cut: true, Err: err})
		t.stop(io.EOF)
	default:
		t.stop(err)
	}
}

// maxID bounds the ids, so that adding to one does not overflow.
const maxID = 1 << 62

// skipDamage skips the frame read last, up to the next one that begins after its first byte.
func (t *Reader) skipDamage(cause error) {
	if t.runs == 0 { // a trace begins with a readable header, so there is nothing to go on to
		t.stop(fmt.Errorf("%w: %w", ErrNotTrace, cause))
		return
	}
	at := t.frames.off
	bytes, err := t.frames.resync()
	t.addDamage(Damage{Offset: at, Bytes: bytes, Err: cause})
	if err != nil {
		t.stop(err)
	}
}

func (t *Reader) addDamage(d Damage) {
	if d.Behind = t.footer != nil; t.damage == nil {
		t.damage = &d
		return
	}
	t.damage.Bytes = d.Offset + d.Bytes - t.damage.Offset
	t.damage.Cut = t.damage.Cut || d.Cut
}

// stop ends the reading. It reports damage that no batch has followed first.
func (t *Reader) stop(err error) {
	t.stopErr = err
	if t.damage != nil {
		t.ready = append(t.ready, t.damage)
		t.damage = nil
	}
}

// readPacket reads one Trace.packet from rest.
func (t *Reader) readPacket() error {
	num, typ, packet, err := takeField(&t.rest)
	if num != fieldTracePacket || typ != protowire.BytesType {
		return err
	}
	for set := false; err == nil && len(packet) > 0; {
		var body []byte
		switch num, typ, body, err = takeField(&packet); {
		case err != nil || typ != protowire.BytesType || num > fieldPacketFooter:
		case set:
			return errors.New("a packet sets two fields")
		default:
			set, err = true, t.readContent(num, body)
		}
	}
	return err
}

// takeField takes the first field off a message. value is what a field of bytes contains, or the encoded number.
func takeField(message *[]byte) (num protowire.Number, typ protowire.Type, value []byte, err error) {
	num, typ, n := protowire.ConsumeTag(*message)
	if n < 0 {
		return 0, 0, nil, protowire.ParseError(n)
	}
	rest := (*message)[n:]
	size := protowire.ConsumeFieldValue(num, typ, rest)
	if size < 0 {
		return 0, 0, nil, protowire.ParseError(size)
	}
	value, *message = rest[:size], rest[size:]
	if typ == protowire.BytesType {
		value, _ = protowire.ConsumeBytes(value)
	}
	return num, typ, value, nil
}

// readContent reads the one field set in a Packet. Before the wanted run's header it ignores all but headers.
func (t *Reader) readContent(num protowire.Number, body []byte) error {
	if num != fieldPacketEvents {
		if err := checkBounds(num, body); err != nil {
			return err
		}
	}
	switch {
	case num == fieldPacketHeader:
		return t.readHeader(body)
	case t.runs == 0:
		return errors.New("it does not begin with a header")
	case t.header == nil:
		return nil
	case t.footer != nil:
		return errors.New("it goes on after the footer")
	}
	switch num {
	case fieldPacketEvents:
		return t.readEvents(body)
	case fieldPacketLoss:
		return decode(t, body, &Loss{})
	case fieldPacketProgram:
		return decode(t, body, &Program{})
	case fieldPacketFooter:
		return t.readFooter(body)
	}
	return nil
}

// checkBounds returns an error for a packet that would take more memory than a reader allows.
func checkBounds(packet protowire.Number, body []byte) error {
	if most := maxMessage[packet]; len(body) > most {
		return fmt.Errorf("a packet of %d bytes, at most %d are allowed", len(body), most)
	}
	repeated := make(map[protowire.Number]int)
	for len(body) > 0 {
		num, _, _, err := takeField(&body)
		if err != nil {
			return err
		}
		if most, ok := maxRepeats[packet][num]; ok {
			if repeated[num]++; repeated[num] > most {
				return fmt.Errorf("field %d stands more than %d times", num, most)
			}
		}
	}
	return nil
}

// readFooter reads the footer.
func (t *Reader) readFooter(body []byte) error {
	f := &Footer{}
	if err := proto.Unmarshal(body, f); err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	switch {
	case f.Events >= maxID, f.Events+1 < t.nextID:
		if t.damage != nil {
			t.reportGap(t.nextID)
		}
		t.ready = append(t.ready, &Damage{Offset: t.offset, Err: ErrMiscounted})
	case f.Events >= t.nextID:
		t.reportGap(f.Events + 1)
	}
	t.footer = f
	t.ready = append(t.ready, f)
	return nil
}

func decode[M interface {
	proto.Message
	Record
}](t *Reader, body []byte, m M) error {
	if err := proto.Unmarshal(body, m); err != nil {
		return err
	}
	t.ready = append(t.ready, m)
	return nil
}

func (t *Reader) readEvents(body []byte) error {
	decoded := t.frame.isDecoded(body)
	if t.frame.body = nil; decoded {
		t.batch.done = 0
	} else if err := t.batch.load(body); err != nil {
		t.batch.events, t.batch.done = 0, 0
		return err
	}
	if t.skipsFrames() && !t.index.matchesBatch(t.offset, t.batch) {
		t.batch.events, t.batch.done = 0, 0
		return ErrIndex
	}
	if id := t.batch.firstID; id < t.nextID || id >= maxID {
		t.batch.events, t.batch.done = 0, 0
		return fmt.Errorf("event ids do not grow: #%d comes after #%d", id, t.nextID-1)
	}
	if t.damage != nil || t.batch.firstID > t.nextID {
		t.reportGap(t.batch.firstID)
	}
	t.nextID = t.batch.firstID + uint64(t.batch.events)
	t.batch.selectKinds(t.wanted)
	return nil
}

// reportGap reports the events missing before id.
func (t *Reader) reportGap(id uint64) {
	d := t.damage
	if d == nil {
		d = &Damage{Offset: t.offset, Err: errors.New("event ids skip")}
	}
	if id > t.nextID {
		d.Events = id - t.nextID
		t.nextID = id
	}
	t.damage = nil
	t.ready = append(t.ready, d)
}

func (t *Reader) readHeader(body []byte) error {
	t.runs++
	if t.header != nil {
		if t.run == 0 {
			return ErrSecondRun
		}
		return io.EOF
	}
	if t.run > t.runs {
		return nil
	}
	h := &Header{}
	if err := proto.Unmarshal(body, h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if h.FormatVersion == 0 || h.FormatVersion > FormatVersion {
		return fmt.Errorf("%w: version %d, this program reads up to %d", ErrVersion, h.FormatVersion, FormatVersion)
	}
	t.header = h
	return nil
}

// findHeader reads up to the wanted run's header.
func (t *Reader) findHeader() error {
	for t.header == nil && t.stopErr == nil {
		t.advance()
		if t.runs == 0 && t.stopErr == nil && len(t.rest) == 0 && len(t.frame.raw) > 0 {
			return fmt.Errorf("%w: the first frame holds no header", ErrNotTrace)
		}
	}
	switch {
	case t.header != nil:
		return nil
	case t.stopErr != io.EOF:
		return t.stopErr
	case t.runs > 0:
		return fmt.Errorf("%w: it holds %d", ErrNoRun, t.runs)
	}
	return fmt.Errorf("%w: the file is empty", ErrNotTrace)
}
