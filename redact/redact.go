// SPDX-License-Identifier: Apache-2.0

// Package redact makes of a trace one that can be given to strangers. Names become tokens,
// addresses lie elsewhere, inode numbers and cgroups are gone, and so are hashes and buckets: a hash with a name that is
// known gives away the address of the directory, and a bucket where the hash table lies.
//
// What stays is what claims are made of: which names are equal and how long they are,
// which addresses are equal and how far apart inside a run of pages, the order of events
// and the time between them. So equality, prefix, eviction, negative and their like keep
// their verdicts, and hash and bucket are unproven, because they were redacted.
package redact

import (
	"crypto/rand"
	"fmt"
	"io"

	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/proto"
)

// Options choose what is kept beyond that.
type Options struct {
	Extensions bool // what follows the last dot of a name, up to 8 bytes
	// Key makes the tokens: traces redacted with the same one can be compared, but where short
	// names had to share a token and got others. Nil: one that nobody will know.
	Key []byte
}

// Source opens the trace to be redacted; it is read twice. The errors are those of
// schema.NewReader.
type Source func() (*schema.Reader, error)

// Trace reads the run twice and writes its redaction. A trace that is cut makes one that is
// cut. The error is the reader's or the writer's, ErrTooMuch, or a *DamagedError.
func Trace(w io.Writer, source Source, writer string, o Options) error {
	r := &redactor{names: newNames(o), addresses: newAddresses(), tasks: make(numbers), devices: make(numbers)}
	r.names.tasks = r.tasks
	if err := r.each(source, r.survey); err != nil {
		return err
	}
	r.addresses.place()
	in, err := source()
	if err != nil {
		return err
	}
	defer in.Close()
	h := in.Header()
	r.start = h.StartBootNs
	out, err := schema.NewWriter(w, r.header(h, writer))
	if err != nil {
		return err
	}
	footer, err := r.copy(out, in)
	if err != nil || footer == nil {
		return err
	}
	return out.Close(footer)
}

type redactor struct {
	names     *names
	addresses *addresses
	tasks     numbers // processes and threads have one number space
	devices   numbers
	start     uint64 // subtracted from every time, nanoseconds since boot
}

// each reads the events of a run.
func (r *redactor) each(source Source, do func(*schema.Event) error) error {
	in, err := source()
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		record, err := in.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if e, ok := record.(*schema.Event); ok {
			err = do(e)
		}
		if err != nil {
			return err
		}
	}
}

// survey notes which pages there are, so that neighbours stay neighbours, and which tasks, so
// that a name which is the number of one is known for it from the first event on.
func (r *redactor) survey(e *schema.Event) error {
	for _, task := range []uint32{e.PID, e.TID, e.Child} {
		r.tasks.of(task)
	}
	for _, a := range pointers(e) {
		if err := r.addresses.see(*a); err != nil {
			return err
		}
	}
	if e.Entry != nil {
		return r.survey(e.Entry)
	}
	return nil
}

// pointers are the fields of an event that hold kernel addresses.
func pointers(e *schema.Event) []*uint64 {
	all := []*uint64{&e.Parent, &e.NameAddr, &e.Dentry, &e.Inode, &e.Target, &e.Start}
	if _, known := e.Role.Info(); !known || e.Role.Is(schema.ReturnsAddress) { // of a role to come it may be one
		all = append(all, &e.Ret)
	}
	return all
}

// event redacts an event in place, and its entry.
func (r *redactor) event(e *schema.Event) (err error) {
	if e.Entry != nil {
		if err := r.event(e.Entry); err != nil {
			return err
		}
	}
	for _, a := range pointers(e) {
		*a = r.addresses.of(*a)
	}
	if e.Role.Is(schema.Walks) && e.Columns.Has(schema.ColumnKey) {
		e.Name, err = r.names.path(e.Name)
	} else {
		e.Name, err = r.names.component(e.Name)
	}
	if err != nil {
		return err
	}
	e.Hash, e.Bucket, e.Ino, e.Cgroup = 0, 0, 0, ""
	e.Columns &^= 1<<schema.ColumnBucket | 1<<schema.ColumnIno | 1<<schema.ColumnCgroup
	e.PID, e.TID, e.Child = r.tasks.of(e.PID), r.tasks.of(e.TID), r.tasks.of(e.Child)
	e.Dev = r.devices.of(e.Dev)
	e.Time = r.time(e.Time)
	if e.Entered != 0 {
		e.Entered = max(1, r.time(e.Entered)) // 0 says that it is not known
	}
	e.Comm, err = r.names.component(e.Comm)
	return err
}

// time is nanoseconds since the recording began.
func (r *redactor) time(ns uint64) uint64 {
	if ns < r.start {
		return 0
	}
	return ns - r.start
}

// copy writes what the reader gives, redacted. The footer is nil where the trace has none.
func (r *redactor) copy(out *schema.Writer, in *schema.Reader) (*schema.Footer, error) {
	var footer *schema.Footer
	for {
		record, err := in.Next()
		switch p := record.(type) {
		case *schema.Event:
			e := p.Clone()
			if err = r.event(e); err == nil {
				err = out.Append(e)
			}
		case *schema.Loss:
			err = out.Loss(&schema.Loss{Cause: p.Cause, Role: p.Role, Cpu: p.Cpu, Count: p.Count, FirstNs: r.time(p.FirstNs), LastNs: r.time(p.LastNs)})
		case *schema.Damage:
			if !p.Cut {
				err = &DamagedError{p}
			}
		case *schema.Program:
			err = r.program(out, p)
		case *schema.Footer:
			footer = &schema.Footer{Events: p.Events, EndNs: r.time(p.EndNs), Lost: p.Lost, EndedBy: p.EndedBy, ExitCode: p.ExitCode}
		}
		if err == io.EOF {
			return footer, out.Flush()
		} else if err != nil {
			return nil, err
		}
	}
}

// program leaves out what a program's code and its output say.
func (r *redactor) program(out *schema.Writer, p *schema.Program) error {
	name, err := r.names.component(p.Name)
	if err != nil {
		return err
	}
	return out.Program(&schema.Program{Name: name, Pid: r.tasks.of(p.Pid), EndNs: r.time(p.EndNs), ExitCode: p.ExitCode})
}

// DamagedError says that a stretch of the trace could not be read: a redaction of what is
// left would hide that.
type DamagedError struct{ *schema.Damage }

// Error says where and why.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("damaged at byte %d, %d bytes passed over: %v", e.Offset, e.Bytes, e.Err)
}

// header keeps what says how the events were recorded, and the kernel's release, without
// which no two runs can be compared.
func (r *redactor) header(h *schema.Header, writer string) *schema.Header {
	id := make([]byte, 16)
	rand.Read(id) // never fails
	out := &schema.Header{
		Writer: writer, RunId: id,
		Kernel:          &schema.Kernel{Release: h.GetKernel().GetRelease(), Machine: h.GetKernel().GetMachine()},
		Target:          "redacted",
		RingBufferBytes: h.RingBufferBytes, WatchLimit: h.WatchLimit, ParentsWatched: h.ParentsWatched,
		Layout: proto.CloneOf(h.GetLayout()),
	}
	if out.Layout == nil {
		out.Layout = &schema.Layout{}
	}
	out.Layout.DentryHashtable, out.Layout.DHashShift = 0, 0
	out.Layout.NameHash = schema.NameHash_NAME_HASH_REDACTED
	for _, p := range h.GetProbe() {
		out.Probe = append(out.Probe, &schema.Probe{Role: p.Role, Phase: p.Phase, Symbol: p.Symbol, Attach: p.Attach,
			Attached: p.Attached, Required: p.Required, Uncounted: p.Uncounted}) // without the error, which is the machine's own words
	}
	return out
}
