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

// plainText is the log as UTF-8: a file that begins with the byte order mark of UTF-16, as
// Windows' shells write it, is decoded. Any other is taken as it is.
func plainText(r io.Reader) io.Reader {
	return transform.NewReader(r, unicode.BOMOverride(transform.Nop))
}

// maxRecord bounds a record of JSON, bytes. journald's own bound of a line is 48 KiB.
const maxRecord = 1 << 20

// records decodes one record after another; io.EOF is the end.
type records func() (said, error)

var (
	bareSeconds = pattern(`^(\d{1,9})\.(\d{6})$`)
	dmesgJSON   = pattern(`^\s*\{\s*"dmesg"\s*:\s*\[`)
	journalJSON = pattern(`^[\s\x1e]*\{\s*"[A-Z_]`)
)

// structured returns the records of a log that is JSON, as dmesg -J and journalctl -o json,
// json-pretty and json-seq write it; nil of one that is text.
func structured(in *bufio.Reader) records {
	start, _ := in.Peek(256)
	budget := &budget{in: in, left: maxRecord}
	d := json.NewDecoder(budget)
	switch {
	case dmesgJSON().Match(start):
		for range 3 { // {, "dmesg", [
			if _, err := d.Token(); err != nil {
				return func() (said, error) { return said{}, err }
			}
		}
		return func() (said, error) {
			if !d.More() {
				return said{}, io.EOF
			}
			var m message
			err := decode(d, budget, &m)
			return m.said(), err
		}
	case journalJSON().Match(start):
		return func() (said, error) {
			var e entry
			err := decode(d, budget, &e)
			return e.said(), err
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

// budget bounds what is read for one record, and takes out the separators of json-seq.
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
	Time   json.RawMessage `json:"time"` // seconds since boot, six digits behind the point; a string where another format was asked for
	Caller string          `json:"caller"`
	Msg    string          `json:"msg"`
}

func (m *message) said() said {
	s := said{text: m.Msg, tid: caller(m.Caller)}
	if at := bareSeconds().FindSubmatch(m.Time); at != nil {
		s.at = printkTime(string(at[1]), string(at[2])+"000")
	}
	return s
}

// entry is a record of the journal.
type entry struct {
	Message   text   `json:"MESSAGE"`
	Transport string `json:"_TRANSPORT"`
	Boot      string `json:"_BOOT_ID"`
	Monotonic string `json:"_SOURCE_MONOTONIC_TIMESTAMP"` // the kernel's, microseconds
	Realtime  string `json:"__REALTIME_TIMESTAMP"`        // the journal's, microseconds since 1970
}

// said takes a message of anything but the kernel for one that says nothing.
func (e *entry) said() said {
	s := said{text: string(e.Message), boot: e.Boot}
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

// text is a field of the journal: a string, or an array of bytes where they are not UTF-8;
// null where it is too long, which is empty here.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, (*string)(t))
	}
	var raw []uint8
	var values []uint16 // encoding/json takes []uint8 for base64
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	for _, v := range values {
		raw = append(raw, uint8(v))
	}
	*t = text(raw)
	return nil
}

// records takes the records in. A record that cannot be read ends the log: the error says
// which.
func (l *reader) records(next records) error {
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
		if err := l.line(s.text, s); err != nil {
			return err
		}
	}
}
