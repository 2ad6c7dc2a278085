// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"io"
	"os"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"golang.org/x/text/width"
)

// addWideFlag adds --wide to a command that prints tables. Without --wide, lines longer than the terminal
// is wide are folded below their last column, so that nothing is cut off and the columns stay visible.
func addWideFlag(cmd *cobra.Command) *cobra.Command {
	var wide bool
	cmd.Flags().BoolVar(&wide, "wide", false, "on a terminal, leave lines as long as they are")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		d, ok := cmd.OutOrStdout().(*terminalFilter)
		terminal := terminalOf(cmd)
		columns := columnsOf(terminal)
		if !ok || wide || columns == 0 || formatOf(cmd) != textFormat {
			return run(cmd, args)
		}
		was, f := *d, &folder{w: d.w, columns: columns}
		d.w, d.terminal = f, terminal
		defer func() {
			d.w, d.terminal = was.w, was.terminal
			if failed := f.flush(); err == nil {
				err = failed
			}
		}()
		return run(cmd, args)
	}
	return cmd
}

// columnsOf returns the width of a terminal, or 0 for none and for one that is too narrow to fold for.
func columnsOf(terminal *os.File) int {
	if terminal == nil {
		return 0
	}
	columns, _, err := term.GetSize(int(terminal.Fd()))
	if err != nil || columns < 20 {
		return 0
	}
	return columns
}

// folder folds lines longer than columns.
type folder struct {
	w       io.Writer
	columns int
	line    []byte // the incomplete last line
}

func (f *folder) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		f.line = append(f.line, line...)
		if !whole {
			return n, nil
		}
		p = rest
		if _, err := f.w.Write(append(f.folded(), '\n')); err != nil {
			return 0, err
		}
		f.line = f.line[:0]
	}
}

// flush writes the last line if it has no newline.
func (f *folder) flush() error {
	if len(f.line) == 0 {
		return nil
	}
	_, err := f.w.Write(f.folded())
	f.line = nil
	return err
}

func (f *folder) folded() []byte {
	var out []byte
	line, room := f.line, f.columns
	indent := foldIndent(line, f.columns)
	for {
		n := bytesThatFit(line, room)
		if n == len(line) {
			return append(out, line...)
		}
		if space := bytes.LastIndexByte(line[:n+1], ' '); space > 0 && len(bytes.TrimSpace(line[:space])) > 0 {
			word, _, _ := bytes.Cut(line[space+1:], []byte(" "))
			if columnsIn(word) <= f.columns-indent || space > n/2 {
				n = space
			}
		}
		out = append(append(out, bytes.TrimRight(line[:n], " ")...), '\n')
		out = append(out, bytes.Repeat([]byte(" "), indent)...)
		line, room = bytes.TrimLeft(line[n:], " "), f.columns-indent
	}
}

// foldIndent returns the column at which folded text continues: the beginning of the last column of the
// line (what follows two spaces or more) that is within the left two thirds of the terminal; without
// one, 4 columns right of the line's indentation, at most half the width.
func foldIndent(line []byte, columns int) int {
	begin := len(line) - len(bytes.TrimLeft(line, " "))
	at := min(begin+4, columns/2)
	for i := begin; i < len(line); {
		gap := bytes.Index(line[i:], []byte("  "))
		if gap < 0 {
			break
		}
		i += gap
		i += len(line[i:]) - len(bytes.TrimLeft(line[i:], " "))
		if column := columnsIn(line[:i]); column <= columns*2/3 {
			at = column
		}
	}
	return at
}

// bytesThatFit returns how many bytes of a line fit into so many columns.
func bytesThatFit(line []byte, columns int) int {
	used := 0
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		if used += columnsOfRune(r); used > columns {
			return i
		}
		i += size
	}
	return len(line)
}

// columnsIn returns how many columns a text takes.
func columnsIn(text []byte) (n int) {
	for _, r := range string(text) {
		n += columnsOfRune(r)
	}
	return n
}

// columnsOfRune returns 2 for wide characters, otherwise 1: combining and control characters were
// escaped before.
func columnsOfRune(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
