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

// tabular gives a command that prints tables --wide. Without it lines longer than the terminal
// is wide are folded, below their last column: nothing is cut, and no column is lost to sight.
func tabular(cmd *cobra.Command) *cobra.Command {
	var wide bool
	cmd.Flags().BoolVar(&wide, "wide", false, "on a terminal, leave lines as long as they are")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		d, ok := cmd.OutOrStdout().(*door)
		columns := terminalColumns(cmd)
		if format := cmd.Flags().Lookup("format"); !ok || wide || columns == 0 || format != nil && format.Value.String() != string(textFormat) {
			return run(cmd, args)
		}
		was, f := *d, &folder{w: d.w, columns: columns}
		d.w, d.terminal, d.columns = f, true, columns
		defer func() {
			d.w, d.terminal, d.columns = was.w, was.terminal, was.columns
			if failed := f.flush(); err == nil {
				err = failed
			}
		}()
		return run(cmd, args)
	}
	return cmd
}

// terminalColumns is the width of the terminal that stdout is, be it behind a pager; 0: it is none.
func terminalColumns(cmd *cobra.Command) int {
	d, ok := cmd.OutOrStdout().(*door)
	if ok && d.terminal {
		return d.columns
	}
	return columnsOf(rawOut(cmd))
}

func columnsOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(f) {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 20 { // nobody reads it there
		return 0
	}
	return columns
}

// folder folds lines.
type folder struct {
	w       io.Writer
	columns int
	line    []byte // begun
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

// flush writes a line that has no end.
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
	indent := hanging(line, f.columns)
	for {
		n := fits(line, room)
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

// hanging is where the last column of a line begins, if that is not too far to the right: after
// two spaces or more. What is folded goes on there, or a little to the right of the line's begin.
func hanging(line []byte, columns int) int {
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

// fits is how many bytes of a line there is room for.
func fits(line []byte, columns int) int {
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

// columnsIn is how many columns a text takes.
func columnsIn(text []byte) (n int) {
	for _, r := range string(text) {
		n += columnsOfRune(r)
	}
	return n
}

// columnsOfRune: what does not stand for itself was escaped before.
func columnsOfRune(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
