// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/report/page"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

// maxPage bounds a page, bytes.
const maxPage = 64 << 20

// errOrder is how a page and a trace are to be given.
var errOrder = errors.New("a page is held against one trace: first the page, then the trace")

// pageGiven returns the first of two files if it is a page and no trace: text, whatever
// it is called. For stdin, what was looked at is still to be read from the command.
func pageGiven(cmd *cobra.Command, args []string) (markdown []byte, given bool, err error) {
	if err := pagesInOrder(cmd, args); err != nil || len(args) != 2 {
		return nil, false, err
	}
	in, err := openInput(cmd, args[0])
	if err != nil && namedPage(args[0]) {
		return nil, false, explainInput(cmd, args[0], err, "name a page that is there: 'dtrec report' writes one")
	} else if err != nil {
		return nil, false, nil // that it is no trace is said where traces are opened
	}
	defer in.Close()
	buffered := bufio.NewReaderSize(in, 4096)
	start, _ := buffered.Peek(4096)
	if err := unreadable(cmd, args[0], start); err != nil {
		return nil, false, err
	}
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

// pagesInOrder refuses a page that is not the first of two files; one alone is told
// apart where traces are opened.
func pagesInOrder(cmd *cobra.Command, args []string) error {
	for i, arg := range args {
		if len(args) > 1 && (i > 0 || len(args) > 2) && arg != "-" && beginsAsPage(cmd, arg) {
			return usageError(cmd, errOrder)
		}
	}
	return nil
}

// beginsAsPage looks into a file; one that cannot be read is none.
func beginsAsPage(cmd *cobra.Command, path string) bool {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false // what is read from a pipe is gone
	}
	in, err := openInput(cmd, path)
	if err != nil {
		return false
	}
	defer in.Close()
	start := make([]byte, 4096)
	n, _ := io.ReadFull(in, start)
	return isText(start[:n])
}

// namedPage reports whether a file is called what pages are called.
func namedPage(path string) bool {
	return slices.Contains([]string{".md", ".markdown", ".mdown"}, strings.ToLower(filepath.Ext(path)))
}

// unreadable says of a page that begins so why it cannot be read; nil for one that can
// be, and for what is no page.
func unreadable(cmd *cobra.Command, path string, start []byte) error {
	switch {
	case len(start) == 0 && namedPage(path):
		return explainInput(cmd, path, errors.New("is empty"), "a page has addresses, hashes or subtractions, as 'dtrec report' writes them")
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return explainInput(cmd, path, errors.New("is UTF-16, and a page is UTF-8"), "convert it: 'iconv -f UTF-16 -t UTF-8'")
	case len(start) > 0 && namedPage(path) && !isText(start) && start[0] != 0x28:
		return explainInput(cmd, path, errors.New("is no text in UTF-8"), "convert it with iconv, or name the trace first if it is one")
	}
	return nil
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
	t, err := openTrace(cmd, args[1], o.run)
	if err != nil {
		return err
	}
	defer t.Close()
	run := page.Look(page.Parse(markdown), t.Header())
	f, err := collect(looked{t, run}, nil)
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
	return answer(!r.Holds(), err)
}

// pageFlags refuses the flags that mean nothing with a page, or only with one.
func pageFlags(cmd *cobra.Command, given bool) error {
	if !given && cmd.Flags().Changed("all") {
		return usageError(cmd, errors.New("--all is for a page: it lists what was found as well"))
	}
	for _, name := range []string{"strict", "without"} {
		if given && cmd.Flags().Changed(name) {
			return usageError(cmd, fmt.Errorf("--%s is for the verdicts of a trace, not for a page", name))
		}
	}
	return nil
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
