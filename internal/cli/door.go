// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// door is what stands before stdout and stderr: whatever is written, a terminal is given
// nothing to act on but line ends, tabs and the colors of replay. What comes from a trace, a
// kernel or an argument is escaped where it is printed; this is for where that was
// forgotten. It writes escapes that JSON has as well.
type door struct {
	w        io.Writer
	held     []byte // the beginning of a character, or of a color
	out      []byte // for reuse
	terminal bool   // w is a pager that writes to one
	columns  int    // how wide that is
}

// colors are what NewText of replay writes between names.
var colors = []string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m"}

func (d *door) Write(p []byte) (int, error) {
	if len(d.held) == 0 && shownRun(p) == len(p) {
		return d.w.Write(p)
	}
	out, in := d.out[:0], p
	if len(d.held) > 0 {
		in = append(d.held, p...)
		d.held = nil
	}
	for len(in) > 0 {
		shown := shownRun(in)
		out, in = append(out, in[:shown]...), in[shown:]
		if len(in) == 0 {
			break
		}
		n, whole := d.next(in)
		if !whole {
			d.held = slices.Clone(in)
			break
		}
		out = appendShown(out, in[:n])
		in = in[n:]
	}
	d.out = out
	if _, err := d.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// shownRun is how many bytes p begins with of what every terminal shows.
func shownRun(p []byte) int {
	for i := 0; ; {
		if i += plainRun(p[i:]); i == len(p) {
			return i
		}
		r, size := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return i
		}
		i += size
	}
}

// plainRun is how many bytes p begins with of ASCII that every terminal shows. All that a command prints comes by here: word
// by word that was a sixth of a replay to JSON.
func plainRun(p []byte) int {
	all := len(p)
	for ; len(p) >= 32; p = p[32:] {
		a, b, c, d := word(p), word(p[8:]), word(p[16:]), word(p[24:])
		if (odd(a)|odd(b)|odd(c)|odd(d))&highest != 0 && (odd(endless(a))|odd(endless(b))|odd(endless(c))|odd(endless(d)))&highest != 0 {
			break
		}
	}
	for ; len(p) >= 8 && odd(endless(word(p)))&highest == 0; p = p[8:] {
	}
	for i, c := range p {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f {
			return all - len(p) + i
		}
	}
	return all
}

const (
	each    = 0x0101010101010101 // of the bytes of a word
	highest = 0x80 * each        // their highest bits
)

func word(p []byte) uint64 { return binary.LittleEndian.Uint64(p) }

// odd has none of the highest bits where no byte is below a space, DEL or beyond ASCII.
func odd(w uint64) uint64 { return (w - ' '*each) | (w + each) | w }

// endless is a word with another character for each line end.
func endless(w uint64) uint64 {
	n := w ^ '\n'*each
	ends := ^((n&(0x7f*each) + 0x7f*each) | n) & highest
	return w | ends>>2
}

// next returns the size of the character or color that in begins with; whole is false
// where more may follow that belongs to it.
func (d *door) next(in []byte) (n int, whole bool) {
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

// appendShown appends a character, a color, or the escape of what is neither.
func appendShown(out, c []byte) []byte {
	r, size := utf8.DecodeRune(c)
	switch {
	case r == utf8.RuneError && size == 1:
		return append(out, "�"...)
	case size < len(c), r == '\n', r == '\t', unicode.IsPrint(r):
		return append(out, c...)
	case r > 0xffff:
		r -= 0x10000
		return fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}

// close writes what is held: it was whole.
func (d *door) close() error {
	if len(d.held) == 0 {
		return nil
	}
	var out []byte
	for range d.held {
		out = append(out, "�"...)
	}
	d.held = nil
	_, err := d.w.Write(out)
	return err
}

// rawOut is stdout itself: for a trace, which is no text, and to be asked whether it is a
// terminal.
func rawOut(cmd *cobra.Command) io.Writer { return raw(cmd.OutOrStdout()) }

func raw(w io.Writer) io.Writer {
	if d, ok := w.(*door); ok {
		return d.w
	}
	return w
}

// oneLine makes an error's text a line of its own, whatever stands in it.
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
