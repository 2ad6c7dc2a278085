// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/report/page"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

// Bounds on a page: its bytes, the bytes of a line, its lines, the marks that may begin or end an emphasis, a
// link or a quotation, and its words and signs. Parsing takes memory for each of them, and time that grows with
// the square of the marks between two blank lines.
const (
	maxPage  = 4 << 20
	maxLine  = 32 << 10
	maxLines = 128 << 10
	maxMarks = 32 << 10 // between two blank lines
	allMarks = 256 << 10
	maxWords = 1 << 20
)

// isDense reports whether a page has more lines, longer lines, more marks or more words than are handled in
// reasonable time.
func isDense(markdown []byte) bool {
	lines, marks, all, words := 0, 0, 0, 0
	for line := range bytes.Lines(markdown) {
		if lines++; len(line) > maxLine || lines > maxLines {
			return true
		}
		if len(bytes.TrimSpace(line)) == 0 {
			marks = 0
		}
		inWord := false
		for i, c := range line {
			before := inWord
			if inWord = c >= utf8.RuneSelf || c == '_' || unicode.In(rune(c), unicode.Letter, unicode.Digit); inWord && !before || !inWord && c > ' ' {
				words++
			}
			if strings.IndexByte("*[!><`~", c) >= 0 || c == '_' && (i == 0 || i+1 == len(line) || line[i-1] == ' ' || line[i+1] == ' ') {
				if all++; c != '`' {
					marks++
				}
			}
		}
		if marks > maxMarks || all > allMarks || words > maxWords || bytes.HasPrefix(bytes.ReplaceAll(line, []byte(" "), nil), bytes.Repeat([]byte(">"), maxQuoted)) {
			return true
		}
	}
	return false
}

// maxQuoted bounds the depth to which a line may be quoted with ">".
const maxQuoted = 64

// readPage reads a page of Markdown, "-" for stdin.
func readPage(cmd *cobra.Command, path string) ([]byte, error) {
	in, err := openInput(cmd, path)
	if err != nil {
		return nil, explainInput(cmd, path, err, "name a page that is there: 'dtrec report' writes one")
	}
	defer in.Close()
	markdown, err := io.ReadAll(io.LimitReader(in, maxPage+1))
	hint := "check the disk, or the pipe the page comes from"
	switch {
	case err != nil:
	case len(markdown) > maxPage:
		err, hint = fmt.Errorf("is larger than %d MiB", maxPage>>20), "hold its parts one by one"
	case bytes.HasPrefix(markdown, []byte("\x28\xb5\x2f\xfd")):
		err, hint = errors.New("is a trace, and no page"), "first the page, then the trace: 'dtrec check --page PAGE.md FILE'"
	case isDense(markdown):
		err, hint = fmt.Errorf("has a line of more than %d KiB, more than %d lines, or too many marks or words", maxLine>>10, maxLines), "hold its parts one by one"
	case !isText(markdown):
		err, hint = errors.New("is no text in UTF-8"), "convert it with iconv"
	default:
		return markdown, nil
	}
	return nil, explainInput(cmd, path, err, hint)
}

// isText reports whether a file with this beginning is text: UTF-8 without a NUL.
func isText(start []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut < len(start); cut++ { // the last rune may be incomplete
		if utf8.Valid(start[:len(start)-cut]) {
			return bytes.IndexByte(start, 0) < 0
		}
	}
	return len(start) == 0
}

// checkPage checks a page against a trace, which it reads once, and prints the result.
func checkPage(cmd *cobra.Command, path, file string, all bool) error {
	if path == "-" && file == "-" {
		return usageError(cmd, errors.New("the page and the trace cannot both be stdin"))
	}
	markdown, err := readPage(cmd, path)
	if err != nil {
		return err
	}
	t, err := openTrace(cmd, file)
	if err != nil {
		return err
	}
	defer t.Close()
	run := page.Look(page.Parse(markdown), t.Header())
	var whole bytes.Buffer
	src, judged, made := pageOptions(run.MadeBy(), recordTap{t, run})
	if _, err := writePage(&whole, src, judged, made); err != nil {
		return err
	}
	r := run.Hold(whole.Bytes())
	if len(r.Findings) == 0 {
		return &exitError{exitTrouble, fmt.Errorf("%s: nothing in it can be held against a trace", inputName(path)),
			"a page has addresses, hashes or subtractions, as 'dtrec report' writes them"}
	}
	if formatOf(cmd) == jsonFormat {
		err = r.WriteJSON(cmd.OutOrStdout())
	} else {
		err = r.WriteText(cmd.OutOrStdout(), inputName(path), all)
	}
	return answerError(!r.Holds(), err)
}

// pageOptions returns what the command named in a page picks of a trace, how that command judges it, and
// what its page contains. If the page names no command, or one whose flags do not parse, that is the
// whole trace with the default options.
func pageOptions(command []string, src replay.Source) (replay.Source, report.Options, report.PageOptions) {
	var o findingsOptions
	var p report.PageOptions
	cmd := &cobra.Command{}
	o.register(cmd.Flags())
	registerPage(cmd.Flags(), &p)
	if err := cmd.ParseFlags(command); err != nil {
		return src, report.Options{}, report.PageOptions{}
	}
	p.Judged, p.Picked = o.givenFlags(cmd), o.givenFilters(cmd)
	picked, judged := o.judgedPart(src)
	return picked, judged, p
}

// checkPageFlags refuses flags that have no meaning together with --page, and --all without it.
func checkPageFlags(cmd *cobra.Command, page string, files int) error {
	switch format := formatOf(cmd); {
	case page == "" && cmd.Flags().Changed("all"):
		return usageError(cmd, errors.New("--all is for a page: it lists what was found as well"))
	case page == "":
		return nil
	case format == ktapFormat, format == junitFormat:
		return usageError(cmd, fmt.Errorf("--format %s is for the verdicts of a trace, not for a page", format))
	case files != 1:
		return usageError(cmd, fmt.Errorf("a page is held against one trace, got %d", files))
	}
	for _, name := range append([]string{"strict", "without"}, filterFlags...) {
		if cmd.Flags().Changed(name) {
			return usageError(cmd, fmt.Errorf("--%s is for the verdicts of a trace, not for a page", name))
		}
	}
	return nil
}

// recordTap passes the records of a trace on to a reader, and shows each of them to the page on the way.
type recordTap struct {
	replay.Source
	run *page.Run
}

func (l recordTap) Next() (schema.Record, error) {
	rec, err := l.Source.Next()
	if err == nil {
		l.run.Record(rec)
	}
	return rec, err
}
