// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// plainText returns the log as UTF-8. A file that begins with the byte order mark of UTF-16, as Windows
// shells write it, is decoded; any other file is read as it is.
func plainText(r io.Reader) io.Reader {
	return transform.NewReader(r, unicode.BOMOverride(transform.Nop))
}

// maxRecord bounds the size of a JSON record in bytes. journald itself limits a line to 48 KiB.
const maxRecord = 1 << 20

// nextRecord returns the next record at each call, and io.EOF at the end.
type nextRecord func() (logLine, error)

var (
	bareSeconds = pattern(`^(\d{1,9})\.(\d{6})$`)
	dmesgJSON   = pattern(`^\s*\{\s*"dmesg"\s*:\s*\[`)
	journalJSON = pattern(`^[\s\x1e]*\{\s*"[A-Z_]`)
)

// jsonRecords returns the records of a log in JSON, as written by dmesg -J and by journalctl -o json,
// json-pretty and json-seq. It returns nil if the log is text.
func jsonRecords(in *bufio.Reader) nextRecord {
	start, _ := in.Peek(256)
	budget := &budget{in: in, left: maxRecord}
	d := json.NewDecoder(budget)
	switch {
	case dmesgJSON().Match(start):
		for range 3 { // {, "dmesg", [
			if _, err := d.Token(); err != nil {
				return func() (logLine, error) { return logLine{}, err }
			}
		}
		return func() (logLine, error) {
			if !d.More() {
				return logLine{}, io.EOF
			}
			var m message
			err := decode(d, budget, &m)
			return m.logLine(), err
		}
	case journalJSON().Match(start):
		return func() (logLine, error) {
			var e entry
			err := decode(d, budget, &e)
			return e.logLine(), err
		}
	}
	return nil
}

func decode(d *json.Decoder, b *budget, record any) error {
	b.left = maxRecord
	err := d.Decode(record)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	return err
}

// budget limits how much is read for one record, and replaces the record separators of json-seq by blanks.
type budget struct {
	in   io.Reader
	left int
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("a record of more than %d bytes", maxRecord)
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	for i, c := range p[:n] {
		if c == 0x1e {
			p[i] = ' '
		}
	}
	return n, err
}

// message is a record of dmesg -J.
type message struct {
	Time   json.RawMessage `json:"time"` // seconds since boot with six decimals; a string if another format was asked for
	Caller string          `json:"caller"`
	Msg    string          `json:"msg"`
}

func (m *message) logLine() logLine {
	s := logLine{text: m.Msg, tid: caller(m.Caller)}
	if at := bareSeconds().FindSubmatch(m.Time); at != nil {
		s.at = printkTime(string(at[1]), string(at[2])+"000")
	}
	return s
}

// entry is a record of journalctl's JSON.
type entry struct {
	Message   text   `json:"MESSAGE"`
	Transport string `json:"_TRANSPORT"`
	Boot      string `json:"_BOOT_ID"`
	Monotonic string `json:"_SOURCE_MONOTONIC_TIMESTAMP"` // by the kernel, microseconds
	Realtime  string `json:"__REALTIME_TIMESTAMP"`        // by journald, microseconds since 1970
}

// logLine returns an empty text for messages that are not the kernel's.
func (e *entry) logLine() logLine {
	s := logLine{text: string(e.Message), boot: e.Boot}
	if e.Transport != "" && e.Transport != "kernel" {
		s.text = ""
	}
	for _, at := range []struct {
		clock   clock
		printed string
	}{{printk, e.Monotonic}, {wallClock, e.Realtime}} {
		us, err := strconv.ParseInt(at.printed, 10, 64)
		if err == nil && us >= 0 && us <= maxMicroseconds {
			s.at = stamp{at.clock, us * 1e3}
			break
		}
	}
	return s
}

// text is a field of the journal: a string, or an array of bytes if they are not valid UTF-8. A field that is
// too long is null in JSON, and empty here.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, (*string)(t))
	}
	var raw []uint8
	var values []uint16 // encoding/json would take []uint8 for base64
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	for _, v := range values {
		raw = append(raw, uint8(v))
	}
	*t = text(raw)
	return nil
}

// readRecords reads all records. A record that cannot be read ends the log, and the error says which one it was.
func (l *reader) readRecords(next nextRecord) error {
	for {
		s, err := next()
		switch {
		case err == io.EOF:
			l.flush()
			return nil
		case err != nil:
			l.flush()
			return fmt.Errorf("record %d: %w", l.log.Lines+1, err)
		}
		if err := l.readLine(s.text, s); err != nil {
			return err
		}
	}
}
