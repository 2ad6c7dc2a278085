// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/spf13/cobra"
)

// terminalFilter filters what is written to stdout and stderr, so that a terminal gets no control characters
// except newlines, tabs and the colors of replay. Text from a trace, a kernel or an argument is escaped
// where it is printed; the filter catches what was forgotten there. Its escapes are valid in JSON too. A
// shown.Text passes unchecked.
type terminalFilter struct {
	w          io.Writer
	incomplete []byte   // an incomplete character or color sequence, until the rest of it is written
	out        []byte   // scratch buffer of Write
	terminal   *os.File // the terminal that w leads to by way of a pager or a folder; nil: none
	writeErr   error    // error of the last Write, as cobra ignores it when it prints help
}

// colors are the escape sequences that replay's text format writes.
var colors = []string{shown.Plain.String(), shown.Bold.String(), shown.Dim.String(), shown.Alarm.String()}

func (d *terminalFilter) Write(p []byte) (n int, err error) {
	defer func() { d.writeErr = err }()
	if len(d.incomplete) == 0 && shown.Run(p) == len(p) {
		return d.w.Write(p)
	}
	out, in := d.out[:0], p
	if len(d.incomplete) > 0 {
		in = append(d.incomplete, p...)
		d.incomplete = nil
	}
	for len(in) > 0 {
		run := shown.Run(in)
		out, in = append(out, in[:run]...), in[run:]
		if len(in) == 0 {
			break
		}
		n, whole := d.next(in)
		if !whole {
			d.incomplete = slices.Clone(in)
			break
		}
		if in[0] == 0x1b && n > 1 {
			out = append(out, in[:n]...)
		} else {
			out = shown.AppendRune(out, in[:n])
		}
		in = in[n:]
	}
	d.out = out
	if _, err := d.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteShown writes a text without a check, as it contains nothing that a terminal acts on.
func (d *terminalFilter) WriteShown(t *shown.Text) (int, error) {
	if len(d.incomplete) > 0 { // nothing more will complete it
		if err := d.close(); err != nil {
			return 0, err
		}
	}
	n, err := t.WriteTo(d.w)
	return int(n), err
}

// next returns the size of the character or color that in begins with. Whole is false if it may be the
// beginning of a longer one, which the next Write completes.
func (d *terminalFilter) next(in []byte) (n int, whole bool) {
	if in[0] == 0x1b {
		for _, c := range colors {
			if strings.HasPrefix(string(in[:min(len(in), len(c))]), c) {
				return len(c), true
			} else if len(in) < len(c) && strings.HasPrefix(c, string(in)) {
				return 0, false
			}
		}
		return 1, true
	}
	if !utf8.FullRune(in) {
		return 0, false
	}
	_, n = utf8.DecodeRune(in)
	return n, true
}

// close writes what is held, as nothing more will complete it: one U+FFFD for each byte.
func (d *terminalFilter) close() error {
	if len(d.incomplete) == 0 {
		return nil
	}
	var out []byte
	for range d.incomplete {
		out = append(out, "�"...)
	}
	d.incomplete = nil
	_, err := d.w.Write(out)
	return err
}

// rawOut returns stdout without the filter: for a binary trace, and to ask whether it is a terminal.
func rawOut(cmd *cobra.Command) io.Writer { return unfiltered(cmd.OutOrStdout()) }

func unfiltered(w io.Writer) io.Writer {
	if d, ok := w.(*terminalFilter); ok {
		return d.w
	}
	return w
}

// oneLine escapes everything in a text that is not printable, newlines too, so that it takes one line.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}
