// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// countReader counts the bytes that are read, and shows how far that is.
type countReader struct {
	r        io.Reader
	n        int64
	progress *progress
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.progress.at(c.n)
	return n, err
}

// progress is a line on stderr, from the first second of reading on, where stderr is a terminal
// and stdout is none: both on one would be mixed.
type progress struct {
	w     io.Writer // nil: none is shown
	name  string
	size  int64 // bytes; 0: not known, as of a pipe
	next  time.Time
	shown bool
}

const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

func newProgress(cmd *cobra.Command, t *trace) *progress {
	w := raw(cmd.ErrOrStderr())
	if !isTerminal(w) || onTerminal(cmd) {
		return &progress{}
	}
	p := &progress{w: w, name: t.name, next: time.Now().Add(progressAfter)}
	if t.file != nil {
		if info, err := t.file.Stat(); err == nil && info.Mode().IsRegular() {
			p.size = info.Size()
		}
	}
	return p
}

// at shows how many bytes were read. A file that is read twice ends at 100 % twice.
func (p *progress) at(n int64) {
	if p.w == nil || time.Now().Before(p.next) {
		return
	}
	p.next, p.shown = time.Now().Add(progressEvery), true
	if p.size > 0 {
		fmt.Fprintf(p.w, "\r\x1b[Kdtrec: %s: %d %% read", p.name, min(100, 100*n/p.size))
	} else {
		fmt.Fprintf(p.w, "\r\x1b[Kdtrec: %s: %d MiB read", p.name, n>>20)
	}
}

func (p *progress) clear() {
	if p.shown {
		p.shown = false
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
