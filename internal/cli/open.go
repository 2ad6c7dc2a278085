// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

// maxWarnings is how many damaged places are named individually on stderr.
const maxWarnings = 5

// trace is a trace that a command reads. It warns on stderr of what is wrong with the trace, and its
// errors carry a remedy.
type trace struct {
	*schema.Reader
	name      string // its name in messages
	command   string // path of the command that reads it, such as "dtrec check"
	run       int    // which of several runs, from 1; 0: the only one
	runHint   string // how another one is picked, if not by --run
	file      *os.File
	spooled   bool // file is a temporary file
	progress  progress
	stderr    io.Writer
	nextCalls uint64 // records asked for
	lastID    uint64 // id of the last event read or known to be missing
	skipped   uint64 // events passed over by the seek index
	damages   int    // damaged places found
	endErr    error  // the error that ended the reading; nil before
}

// openTrace opens a file, or stdin for "-", and reads the header of the run that --run picks
// (see schema.NewReader). Close it.
func openTrace(cmd *cobra.Command, path string) (*trace, error) {
	return open(cmd, path, "run", false)
}

// maxWholeRead is the size up to which a file is read from beginning to end instead of by its index: that
// is as fast, and finds more.
const maxWholeRead = 1 << 20

// openIndexed is openTrace for a command that may skip frames of a large file by its seek index.
func openIndexed(cmd *cobra.Command, path string) (*trace, error) {
	t, err := openTrace(cmd, path)
	if err != nil {
		return nil, err
	}
	size := sizeOf(t.file)
	if size <= maxWholeRead {
		return t, nil
	}
	indexed, err := schema.NewReaderAt(t.file, size, t.run)
	if err != nil {
		t.Close()
		return nil, t.explain(err)
	}
	t.Reader.Close()
	t.Reader, t.progress.n = indexed, size
	return t, nil
}

// openSeekable is openTrace for a command that reads the trace twice: a pipe is copied to a temporary
// file first.
func openSeekable(cmd *cobra.Command, path string) (*trace, error) {
	return open(cmd, path, "run", true)
}

// open opens a trace; runFlag is the name of the flag that picks the run.
func open(cmd *cobra.Command, path, runFlag string, twice bool) (*trace, error) {
	run, _ := cmd.Flags().GetInt(runFlag)
	t := &trace{name: inputName(path), command: cmd.CommandPath(), run: run, stderr: cmd.ErrOrStderr()}
	if runFlag != "run" {
		t.runHint = "--run-a picks a run of A, --run-b one of B, from 1"
	}
	in, err := openInput(cmd, path)
	t.file, _ = in.(*os.File) // nil for stdin
	if err == nil && twice {
		in, err = t.spool(in)
	}
	if err != nil {
		t.closeFile()
		return nil, t.explain(err)
	}
	t.progress = newProgress(cmd, t, in)
	buffered := bufio.NewReaderSize(&t.progress, 64<<10)
	start, _ := buffered.Peek(8)
	if t.Reader, err = schema.NewReader(buffered, run); err != nil {
		t.closeFile()
		if errors.Is(err, schema.ErrNotTrace) {
			return nil, t.notTrace(start, err)
		}
		return nil, t.explain(err)
	}
	return t, nil
}

// sizeOf returns the size of a regular file, and −1 of anything else, which may be nil.
func sizeOf(f *os.File) int64 {
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() { // a nil file has no information
		return info.Size()
	}
	return -1
}

// spool makes sure that the trace is in a regular file. Anything else is copied to a temporary file
// whose name is removed at once.
func (t *trace) spool(in io.ReadCloser) (io.ReadCloser, error) {
	if sizeOf(t.file) >= 0 {
		return in, nil
	}
	f, err := os.CreateTemp("", "dtrec-*")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name()) // where an open file cannot be removed, closeFile does it
	_, err = io.Copy(f, in)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	t.closeFile()
	t.file, t.spooled = f, true
	return f, err
}

// rewind returns a reader of the run from its beginning.
func (t *trace) rewind() (*schema.Reader, error) {
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return schema.NewReader(bufio.NewReaderSize(t.file, 64<<10), t.run)
}

// Next returns the next record, as Reader.Next does, and reports damage and a missing end on stderr as
// well. It returns errMemory if the reading keeps too much.
func (t *trace) Next() (schema.Record, error) {
	if t.nextCalls++; t.nextCalls%checkEvery == 0 && tooLarge(max(t.nextCalls, t.lastID)) { // the index may have skipped events
		return nil, t.finish(errMemory)
	}
	rec, err := t.Reader.Next()
	if err != nil {
		return nil, t.finish(err)
	}
	if e, ok := rec.(*schema.Event); ok { // the most frequent kind
		t.lastID = e.ID
		return e, nil
	}
	switch rec := rec.(type) {
	case *schema.Skipped:
		t.lastID += rec.Events
		t.skipped += rec.Events
	case *schema.Damage:
		t.noteDamage(rec)
	}
	return rec, nil
}

func (t *trace) noteDamage(d *schema.Damage) {
	if t.lastID += d.Events; d.Cut && !d.Behind {
		return // finish reports it
	}
	t.damages++
	if t.damages > maxWarnings {
		return
	}
	missing := "nothing known is missing"
	switch {
	case d.Behind:
		missing = "it is behind the end of the run, no event is missing"
	case d.Events > 0:
		missing = fmt.Sprintf("events #%d to #%d are missing", t.lastID-d.Events+1, t.lastID)
	}
	t.warn("%s is damaged at byte %d (%v): %s", t.name, d.Offset, d.Err, missing)
}

// finish turns the error that ended the reading into the one that the command returns: io.EOF, or an
// error with a remedy. The first time it also warns of what the trace lacks.
func (t *trace) finish(err error) error {
	if t.endErr != nil {
		return t.endErr
	}
	if t.damages > maxWarnings {
		t.warn("%s is damaged in %d more places", t.name, t.damages-maxWarnings)
	}
	if t.endErr = err; err != io.EOF {
		t.endErr = t.explain(err)
	} else if !t.Complete() {
		t.warn("%s is cut: events after #%d are missing", t.name, t.lastID)
	}
	return t.endErr
}

func (t *trace) warn(format string, args ...any) {
	fmt.Fprintf(t.stderr, "dtrec: warning: "+format+"\n", args...)
}

// Close releases the reader and closes the file.
func (t *trace) Close() {
	if t.Reader != nil {
		t.Reader.Close()
	}
	t.closeFile()
}

func (t *trace) closeFile() {
	t.progress.clear()
	if t.file == nil {
		return
	}
	t.file.Close()
	if t.spooled {
		os.Remove(t.file.Name())
	}
}

// explain adds the remedy to an error of opening or reading a trace.
func (t *trace) explain(err error) error {
	hint := hintFor(err, "check the disk, or the pipe the trace comes from",
		remedy{fs.ErrNotExist, "make one with 'dtrec record -o " + t.name + " -- COMMAND'"},
		remedy{syscall.ENOTDIR, "make one with 'dtrec record -o " + t.name + " -- COMMAND'"},
		remedy{fs.ErrPermission, "a trace belongs to the user who recorded it: read it as that user"},
		remedy{errDirectory, "name a trace file in it"},
		remedy{errTerminal, "give it a trace: '" + t.command + " - < FILE'"},
		remedy{schema.ErrVersion, "read it with the dtrec that wrote it, or a newer one"},
		remedy{schema.ErrSecondRun, cmp.Or(t.runHint, "pick one: --run 1 is the first, --run 2 the second, and so on")},
		remedy{schema.ErrIndex, "read it without: '" + t.command + " - < FILE'"},
		remedy{schema.ErrInflated, "no recording is like that: do not trust the file"},
		remedy{errMemory, "record less at once: one command, or one process with -p"},
		remedy{schema.ErrNoRun, cmp.Or(t.runHint, "--run counts from 1")})
	return &exitError{code: exitTrouble, err: fmt.Errorf("%s: %w", t.name, tracefile.Bare(err)), hint: hint}
}

// notTrace returns the error for a file that is not a trace, with a remedy that depends on its first
// bytes.
func (t *trace) notTrace(start []byte, err error) error {
	hint := cmp.Or(decompressHint(start, t.command), "a trace is a file that 'dtrec record' wrote")
	for _, known := range []struct{ magic, hint string }{
		{"\x28\xb5\x2f\xfd", "if it is a trace compressed once more, 'zstdcat FILE | " + t.command + " -' reads it"},
		{"PERFILE2", "it is a recording of perf: 'perf script' reads it"},
	} {
		if bytes.HasPrefix(start, []byte(known.magic)) {
			hint = known.hint
		}
	}
	if bytes.HasPrefix(start, []byte{0x0a}) && bytes.IndexByte(start, 0x08) > 0 { // the protobuf tags of Trace.packet and Header.format_version
		hint = "a trace without its zstd frames: compress it, 'zstd < FILE | " + t.command + " -'"
	}
	if t.command == "dtrec check" && len(start) > 0 && isText(start) {
		hint = "a page? hold it against a trace: 'dtrec check --page " + t.name + " FILE'"
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		hint = "it is cut within its header, nothing in it can be read: record again"
	}
	return &exitError{code: exitTrouble, err: fmt.Errorf("%s: %w", t.name, err), hint: hint}
}

// decompressHint says how to decompress a file with this beginning for the command to read it. It returns "" if
// the file is not compressed, or is compressed with zstd as a trace is.
func decompressHint(start []byte, command string) string {
	for _, known := range []struct{ magic, tool string }{{"\x1f\x8b", "zcat"}, {"\xfd7zXZ", "xzcat"}, {"BZh", "bzcat"}} {
		if bytes.HasPrefix(start, []byte(known.magic)) {
			return "decompress it first: '" + known.tool + " FILE | " + command + " -'"
		}
	}
	return ""
}

// display returns a name as messages show it.
func display(name string) string { return replay.Printable(name) }

// progress counts what is read of a trace, and shows it in a line on stderr after the first second, if stderr
// is a terminal and stdout is not: on one terminal the two would be mixed.
type progress struct {
	r     io.Reader
	n     int64     // bytes read
	w     io.Writer // nil: no progress is shown
	name  string
	size  int64 // bytes; negative: not known, as for a pipe
	next  time.Time
	shown bool
}

const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

func newProgress(cmd *cobra.Command, t *trace, in io.Reader) progress {
	p := progress{r: in, name: t.name, size: sizeOf(t.file), next: time.Now().Add(progressAfter)}
	if w := unfiltered(cmd.ErrOrStderr()); isTerminal(w) && terminalOf(cmd) == nil {
		p.w = w
	}
	return p
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.n += int64(n); p.w != nil && time.Now().After(p.next) {
		p.show()
	}
	return n, err
}

// show shows how much has been read. If the file is read twice, it reaches 100 % twice.
func (p *progress) show() {
	p.next, p.shown = time.Now().Add(progressEvery), true
	if p.size > 0 {
		fmt.Fprintf(p.w, "\r\x1b[Kdtrec: %s: %d %% read", p.name, min(100, 100*p.n/p.size))
	} else {
		fmt.Fprintf(p.w, "\r\x1b[Kdtrec: %s: %d MiB read", p.name, p.n>>20)
	}
}

func (p *progress) clear() {
	if p.shown {
		p.shown = false
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
