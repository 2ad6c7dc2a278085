// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/report/page"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

// maxPage bounds a page, bytes.
const maxPage = 64 << 20

// pageGiven returns the first of two files if it is a page and no trace: text, whatever
// it is called. For stdin, what was looked at is still to be read from the command.
func pageGiven(cmd *cobra.Command, args []string) (markdown []byte, given bool, err error) {
	if len(args) != 2 {
		return nil, false, nil
	}
	in, err := openInput(cmd, args[0])
	if err != nil {
		return nil, false, nil // that it is no trace is said where traces are opened
	}
	defer in.Close()
	buffered := bufio.NewReaderSize(in, 4096)
	start, _ := buffered.Peek(4096)
	if !isText(start) {
		if args[0] == "-" {
			cmd.SetIn(buffered)
		}
		return nil, false, nil
	}
	markdown, err = io.ReadAll(io.LimitReader(buffered, maxPage+1))
	if err == nil && len(markdown) > maxPage {
		err = fmt.Errorf("larger than %d MiB", maxPage>>20)
	}
	if err != nil {
		return nil, false, explainInput(cmd, args[0], err, "check the disk, or the pipe the page comes from")
	}
	return markdown, true, nil
}

// isText reports whether a file that begins so is text: UTF-8 without a NUL.
func isText(start []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut < len(start); cut++ { // the last rune may be cut
		if utf8.Valid(start[:len(start)-cut]) {
			return bytes.IndexByte(start, 0) < 0
		}
	}
	return false
}

// holdPage holds a page against a trace, which is read once: for what the page says,
// and for what a report of the run would say.
func holdPage(cmd *cobra.Command, markdown []byte, args []string, o findingsOptions, format outputFormat, all bool) error {
	without, err := parseRoles("--without", o.without)
	if err != nil {
		return err
	}
	t, err := openTrace(cmd, args[1], o.run)
	if err != nil {
		return err
	}
	defer t.Close()
	run := page.Look(page.Parse(markdown), t.Header())
	f, err := collect(looked{t, run}, without)
	if err != nil {
		return err
	}
	var short, long bytes.Buffer
	err = errors.Join(report.Markdown(&short, f, report.PageOptions{}), report.Markdown(&long, f, report.PageOptions{ExplainHash: true}))
	if err != nil {
		return err
	}
	r := run.Hold(short.Bytes(), long.Bytes())
	if len(r.Findings) == 0 {
		return &exitError{exitTrouble, fmt.Errorf("%s: nothing in it can be held against a trace", inputName(args[0])),
			"a page has addresses, hashes or subtractions, as 'dtrec report' writes them"}
	}
	if format == jsonFormat {
		err = r.WriteJSON(cmd.OutOrStdout())
	} else {
		err = r.WriteText(cmd.OutOrStdout(), inputName(args[0]), all)
	}
	if err == nil && !r.Holds() {
		err = &exitError{code: exitNegative}
	}
	return err
}

// looked is a trace that a page looks at while it is read for a report.
type looked struct {
	replay.Source
	run *page.Run
}

func (l looked) Next() (schema.Record, error) {
	rec, err := l.Source.Next()
	if err == nil {
		l.run.Record(rec)
	}
	return rec, err
}
