// SPDX-License-Identifier: Apache-2.0

// Package redact turns a trace into one that can be given to strangers. Names become tokens, addresses are moved,
// and inode numbers, cgroups, hashes and buckets are removed: the hash of a known name reveals the address of the
// directory, and a bucket reveals where the hash table lies.
//
// What claims are made of stays: which names are equal and how long they are, which addresses are equal and how
// far apart within a run of pages, the order of events and the time between them. So claims of kind equality,
// prefix, eviction, negative and similar ones keep their verdicts, while hash and bucket become unproven because
// they were redacted.
package redact

import (
	"crypto/rand"
	"fmt"
	"io"

	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/proto"
)

// Options choose what else is kept, and the key.
type Options struct {
	Extensions bool // keep what follows the last dot of a name, up to 8 bytes
	// Key is the key of the tokens. Traces redacted with the same key can be compared, except for short
	// names whose tokens collided and were replaced by others. Nil: a random key that is not kept.
	Key []byte
}

// Source opens the trace to be redacted. It is called twice. Its errors are those of schema.NewReader.
type Source func() (*schema.Reader, error)

// Trace reads the run twice and writes its redacted form. The result of a cut trace is cut too. Trace
// returns the error of the reader or of the writer, ErrTooMuch, or a *DamagedError.
func Trace(w io.Writer, source Source, writer string, o Options) error {
	r := &redactor{names: newNames(o), addresses: addresses{pages: make(map[uint64]uint64)}, tasks: make(numbers), devices: make(numbers)}
	r.names.tasks = r.tasks
	if err := r.survey(source); err != nil {
		return err
	}
	r.addresses.assign()
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
	addresses addresses
	tasks     numbers // processes and threads share one number space
	devices   numbers
	start     uint64 // subtracted from every time; ns since boot
}

// survey reads the run, so that what is seen of it is known from the first event on.
func (r *redactor) survey(source Source) error {
	in, err := source()
	if err != nil {
		return err
	}
	defer in.Close()
	for {
		record, err := in.Next()
		if e, ok := record.(*schema.Event); ok {
			err = r.see(e)
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// see remembers all pages, so that neighbours can stay neighbours, and all tasks, so that a name which is
// the number of a task is recognised.
func (r *redactor) see(e *schema.Event) error {
	for _, task := range []uint32{e.PID, e.TID, e.Child} {
		r.tasks.number(task)
	}
	for _, a := range pointers(e) {
		if err := r.addresses.add(*a); err != nil {
			return err
		}
	}
	if e.Entry != nil {
		return r.see(e.Entry)
	}
	return nil
}

// pointers returns the fields of an event that hold kernel addresses.
func pointers(e *schema.Event) []*uint64 {
	all := []*uint64{&e.Parent, &e.NameAddr, &e.Dentry, &e.Inode, &e.Target, &e.Start}
	if _, known := e.Role.Info(); !known || e.Role.Is(schema.TraitReturnsAddress) { // an unknown role may return an address
		all = append(all, &e.Ret)
	}
	return all
}

// event redacts an event and its entry in place.
func (r *redactor) event(e *schema.Event) (err error) {
	if e.Entry != nil {
		if err := r.event(e.Entry); err != nil {
			return err
		}
	}
	for _, a := range pointers(e) {
		*a = r.addresses.redacted(*a)
	}
	if e.Role.Is(schema.TraitWalks) && e.Columns.Has(schema.ColumnKey) {
		e.Name, err = r.names.path(e.Name)
	} else {
		e.Name, err = r.names.component(e.Name)
	}
	if err != nil {
		return err
	}
	e.Hash, e.Bucket, e.Ino, e.Cgroup = 0, 0, 0, ""
	e.Columns &^= 1<<schema.ColumnBucket | 1<<schema.ColumnIno | 1<<schema.ColumnCgroup
	e.PID, e.TID, e.Child = r.tasks.number(e.PID), r.tasks.number(e.TID), r.tasks.number(e.Child)
	e.Dev = r.devices.number(e.Dev)
	e.Time = r.time(e.Time)
	if e.Entered != 0 {
		e.Entered = max(1, r.time(e.Entered)) // 0 would mean that it is not known
	}
	e.Comm, err = r.names.component(e.Comm)
	return err
}

// time returns a time as nanoseconds since the recording began.
func (r *redactor) time(ns uint64) uint64 {
	if ns < r.start {
		return 0
	}
	return ns - r.start
}

// copy writes the records of the reader in redacted form. The footer is nil if the trace has none.
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

// program writes a program without its code and its output.
func (r *redactor) program(out *schema.Writer, p *schema.Program) error {
	name, err := r.names.component(p.Name)
	if err != nil {
		return err
	}
	return out.Program(&schema.Program{Name: name, Pid: r.tasks.number(p.Pid), EndNs: r.time(p.EndNs), ExitCode: p.ExitCode})
}

// DamagedError means that part of the trace could not be read. Redacting the rest would hide that.
type DamagedError struct{ *schema.Damage }

// Error returns the place and the cause of the damage.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("damaged at byte %d, %d bytes passed over: %v", e.Offset, e.Bytes, e.Err)
}

// header keeps how the events were recorded, and the kernel's release and machine, without which runs could
// not be compared.
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
			Attached: p.Attached, Required: p.Required, Uncounted: p.Uncounted}) // not the error, whose text comes from the machine
	}
	return out
}
