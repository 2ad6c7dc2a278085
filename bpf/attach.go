// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// Attempt is one try to attach a role and phase to a kernel symbol. Err is why it was not attached, or nil.
type Attempt struct {
	*schema.Probe
	Err error
}

// fail notes why the attempt was not attached.
func (a *Attempt) fail(err error) { a.Err, a.Error = err, err.Error() }

// Plan returns the attempts that would be made, in order, without attaching anything.
func Plan(mode Mode, preempts bool) []Attempt {
	var attempts []Attempt
	for _, p := range plan(mode, kernelTraits{preempts: preempts}) {
		for _, c := range p.candidates {
			attempts = append(attempts, newAttempt(p, c))
		}
	}
	return attempts
}

func newAttempt(p probe, c candidate) Attempt {
	return Attempt{Probe: &schema.Probe{Role: p.role, Phase: p.phase, Symbol: c.symbol, Attach: c.attach, Required: p.required}}
}

// attached is a program in the kernel and the link that holds it there.
type attached struct {
	role    schema.Role // unspecified if several roles share the link
	prog    *ebpf.Program
	link    io.Closer // a link.Link, or a *namedKprobe
	counted bool      // its missed hits are known, from the link or from the profile
	watched bool      // the session watches the trampoline that runs it, so it is known when that was rebuilt
	missed  uint64    // hits reported as missed so far, without those from the profile
	stash   *attached // only for a kretprobe: the program on entry that keeps an argument; nil if none is needed
}

// missesCounted reports whether the missed hits are known, those of the stash program included.
func (a *attached) missesCounted() bool { return a == nil || a.counted && a.stash.missesCounted() }

func (a *attached) close() error {
	if a == nil {
		return nil
	}
	return errors.Join(a.link.Close(), a.prog.Close(), a.stash.close())
}

// object is one compiled unit and the maps that its programs share.
type object struct {
	spec *ebpf.CollectionSpec
	maps map[string]*ebpf.Map
}

// attacher attaches programs to symbols. Each program is loaded separately, with the maps it shares, so that
// a program which the kernel refuses does not take the others with it.
type attacher struct {
	trampoline  object // dcache.bpf.c
	kprobe      object // kprobe.bpf.c, read when first needed
	cache       *btf.Cache
	linksCount  bool         // links report what kprobes missed
	profile     *profile     // reports it where links do not; nil if there is none
	trampolines *trampolines // report what fexit missed
	queries     *ebpf.Collection
	noMulti     bool // an attempt has shown that the kernel has no kprobe.multi
	preemption  Preemption
}

// attachAll tries the wanted probes of the plan in order. Every candidate appears in the attempts: those that
// are not wanted, and those after the one that worked, are noted as not tried.
func (a *attacher) attachAll(plan []probe, wanted func(probe) bool) (all []*attached, attempts []Attempt) {
	shared := a.attachShared(plan, wanted)
	for _, p := range plan {
		var taken *attached
		var by Attempt
		for i, c := range p.candidates {
			try := newAttempt(p, c)
			if !wanted(p) {
				try.fail(errNotWanted)
				attempts = append(attempts, try)
				continue
			}
			if taken != nil {
				try.fail(a.notTried(by, try))
				attempts = append(attempts, try)
				continue
			}
			var err error
			if taken = shared[&p.candidates[i]]; taken == nil {
				taken, err = a.attach(p.role, c)
			}
			if err != nil {
				try.fail(err)
			}
			try.Attached = taken != nil
			try.Uncounted = try.Attached && (isKprobe(c.attach) && !taken.missesCounted() || c.attach == schema.Fexit && !taken.watched)
			by = try
			attempts = append(attempts, try)
		}
		if taken != nil && !slices.Contains(all, taken) {
			all = append(all, taken)
		}
	}
	return all, attempts
}

// notTried returns why a candidate was left out: another one is already attached, which came first either
// because this kernel preempts or because it is first in the table.
func (a *attacher) notTried(by, try Attempt) error {
	if !a.preemption.Interrupts() || isKprobe(try.Attach) || !isKprobe(by.Attach) {
		return fmt.Errorf("not tried: %s is attached", by.Symbol)
	}
	return fmt.Errorf("not tried: %s is attached; preemption is %s, so such a program would miss hits", by.Symbol, a.preemption)
}

func (a *attacher) attach(role schema.Role, c candidate) (*attached, error) {
	if err := a.checkPrototype(c); err != nil {
		return nil, err
	}
	if isKprobe(c.attach) {
		return a.attachKprobe(role, c)
	}
	prog, _, err := a.load(a.trampoline, c.program, func(p *ebpf.ProgramSpec) { p.AttachTo = c.symbol })
	if err != nil {
		return nil, err
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: prog})
	if err != nil {
		prog.Close()
		return nil, fmt.Errorf("attach: %w", err)
	}
	t := &attached{role: role, prog: prog, link: l}
	if c.attach != schema.TPBTF {
		t.watched = a.trampolines.noteAttached(role, c.attach, trampolineOf(a.queries, l))
	}
	return t, nil
}

// load loads one program of an object into the kernel after adjust has changed its spec. For a kprobe program
// it also returns the variable that counts its runs, for the profile; for any other program that is nil.
func (a *attacher) load(o object, name string, adjust func(*ebpf.ProgramSpec)) (prog *ebpf.Program, runs *ebpf.Variable, err error) {
	if o.spec.Programs[name] == nil {
		return nil, nil, fmt.Errorf("no program %s in the object", name)
	}
	spec, maps := o.isolate(name)
	adjust(spec.Programs[name])
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: maps, Cache: a.cache})
	if err != nil {
		return nil, nil, fmt.Errorf("load: %w", oneLine(err))
	}
	defer coll.Close()
	return coll.DetachProgram(name), coll.Variables["runs"], nil
}

// isolate returns a spec with one program and the maps it uses (with their contents, where they are the
// program's own), and the shared maps among them. Copying the other maps and mapping all variables would be
// as much work as loading the program.
func (o object) isolate(name string) (*ebpf.CollectionSpec, map[string]*ebpf.Map) {
	spec := &ebpf.CollectionSpec{
		Programs: map[string]*ebpf.ProgramSpec{name: o.spec.Programs[name].Copy()}, Maps: make(map[string]*ebpf.MapSpec),
		Variables: make(map[string]*ebpf.VariableSpec), ByteOrder: o.spec.ByteOrder,
	}
	shared := make(map[string]*ebpf.Map)
	for i := range spec.Programs[name].Instructions {
		ins := &spec.Programs[name].Instructions[i]
		ref := ins.Reference()
		if !ins.IsLoadFromMap() || o.spec.Maps[ref] == nil {
			continue
		}
		spec.Maps[ref] = o.spec.Maps[ref]
		if m := o.maps[ref]; m != nil {
			shared[ref] = m
		}
	}
	for variable, v := range o.spec.Variables {
		if spec.Maps[v.SectionName] != nil && shared[v.SectionName] == nil {
			spec.Variables[variable] = v.Copy()
		}
	}
	return spec, shared
}

// withPrograms returns a copy of the spec with just these programs.
func withPrograms(spec *ebpf.CollectionSpec, names ...string) *ebpf.CollectionSpec {
	some := *spec
	some.Programs = make(map[string]*ebpf.ProgramSpec, len(names))
	for _, name := range names {
		some.Programs[name] = spec.Programs[name]
	}
	return some.Copy()
}

// oneLine shortens an error of loading to one line: the last lines of a verifier log, which say what was
// wrong, or just EPERM if the kernel refused.
func oneLine(err error) error {
	if errors.Is(err, unix.EPERM) {
		return unix.EPERM
	}
	var v *ebpf.VerifierError
	if !errors.As(err, &v) {
		return err
	}
	tail := v.Log[max(0, len(v.Log)-4):]
	return fmt.Errorf("%w: %s", v.Cause, strings.Join(tail, "; "))
}

var errNotWanted = errors.New(schema.NotAskedFor)

// UnfitError says that a symbol does not exist or is not what its program expects.
type UnfitError struct{ What string }

// Error says what does not fit.
func (e *UnfitError) Error() string { return e.What }

func errNoFunction() error { return &UnfitError{"no such function in the kernel's BTF"} }

// checkPrototype compares the function's BTF prototype with what the program expects. An *UnfitError means
// that they differ or that there is no such function.
func (a *attacher) checkPrototype(c candidate) error {
	if c.params == nil {
		return nil
	}
	spec, err := a.cache.Kernel()
	if err != nil {
		return err
	}
	types, err := spec.AnyTypesByName(c.symbol)
	if err != nil && !errors.Is(err, btf.ErrNotFound) {
		return err
	}
	return matchAnyPrototype(c, types)
}

// matchAnyPrototype looks for a matching function among the types of that name. A system call may appear twice: as
// itself and as the stub that replaces it where it is not built in. A kprobe goes by the symbol, so one match
// is enough; a trampoline goes by the type and cannot tell the two apart.
func matchAnyPrototype(c candidate, types []btf.Type) error {
	unfit, found := errNoFunction(), 0
	for _, t := range types {
		if fn, ok := t.(*btf.Func); ok {
			proto, ok := fn.Type.(*btf.FuncProto)
			if found++; !ok {
				unfit = fmt.Errorf("%s has no prototype", c.symbol)
			} else if unfit = matchPrototype(c, proto); unfit == nil && isKprobe(c.attach) {
				return nil
			}
		}
	}
	if found > 1 && !isKprobe(c.attach) {
		return &UnfitError{fmt.Sprintf("%d functions of that name in the kernel's BTF", found)}
	}
	return unfit
}

func matchPrototype(c candidate, proto *btf.FuncProto) error {
	fits := len(proto.Params) == len(c.params) && fitsPointer(c.returns, proto.Return)
	for i := 0; fits && i < len(c.params); i++ {
		fits = fitsPointer(c.params[i], proto.Params[i].Type)
	}
	if fits {
		return nil
	}
	params := make([]string, len(proto.Params))
	for i, p := range proto.Params {
		params[i] = typeName(p.Type)
	}
	return &UnfitError{fmt.Sprintf("prototype is %s %s(%s)", typeName(proto.Return), c.symbol, strings.Join(params, ", "))}
}

// fitsPointer reports whether t is a pointer to the named struct. Any type fits the name "".
func fitsPointer(name string, t btf.Type) bool {
	return name == "" || pointee(t) == name
}

// pointee returns the name of the struct that t points to; empty if it does not point to a struct.
func pointee(t btf.Type) string {
	p, ok := btf.UnderlyingType(t).(*btf.Pointer)
	if !ok {
		return ""
	}
	s, ok := btf.UnderlyingType(p.Target).(*btf.Struct)
	if !ok {
		return ""
	}
	return s.Name
}

func typeName(t btf.Type) string {
	if name := pointee(t); name != "" {
		return "struct " + name + " *"
	}
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Void:
		return "void"
	case *btf.Pointer:
		return "void *"
	default:
		return t.TypeName()
	}
}
