// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// Config says which tasks are recorded and how much memory that may take. The conditions are joined by "or".
// The calling process itself is never recorded.
type Config struct {
	FollowChildren bool     // processes that this one starts, and their descendants
	Adopts         bool     // the process that this one started last when Session.Adopt is called, and its descendants
	All            bool     // every task
	PIDs           []uint32 // these processes and their descendants
	Comm           string   // tasks of this name (cut at 15 bytes)
	Cgroup         string   // tasks below this cgroup v2 directory

	Attach     Mode          // ways of attaching to try
	Only       []schema.Role // roles to record besides those required; nil: all
	RingBytes  uint32        // size of the ring buffer, a power of two; 0: 16 MiB
	WatchLimit uint32        // most dentries watched at once; 0: 65536
}

// follows reports whether some processes are targets because of the process that started them.
func (c *Config) follows() bool { return c.FollowChildren || c.Adopts || len(c.PIDs) > 0 }

// Defaults of Config.
const (
	DefaultRingBytes  = 16 << 20
	DefaultWatchLimit = 65536
)

// Session is a set of attached probes. It is not safe for concurrent use, except for Disable and
// FilesystemType.
type Session struct {
	*ring         // nil before Map
	mode          Mode
	maps          map[string]*ebpf.Map
	vars          map[string]*ebpf.Variable
	losses        *lossMemory
	probes        []*attached
	attempts      []Attempt
	layout        *schema.Layout
	preempt       Preemption
	switches      *switches // of hooks in functions
	profile       *profile  // nil if links report what kprobes missed, or if nobody does
	trampolines   trampolines
	blind         atomic.Bool      // recording has been disabled
	root          [2]uint64        // the recorder's root directory: addresses of mount and dentry
	optionalRoles []schema.Role    // as in Config
	follows       bool             // processes started by a target are targets
	nested        bool             // this process is not in the initial pid namespace
	pidfds        processes        // descriptors of Config.PIDs, until the probes see those processes end
	queries       *ebpf.Collection // programs that are run to answer questions
	polled        uint64           // start of the last call of Losses, nanoseconds since boot
}

// Open loads and attaches the probes. They record nothing before Enable, and nothing can be read before Map.
// The error is a *MissingError if the machine lacks something, or a *SizeError. The session must be closed.
func Open(c Config) (*Session, error) {
	s, err := open(c)
	if missing := shortage(err); missing != nil {
		return nil, missing
	}
	return s, err
}

func open(c Config) (*Session, error) {
	spec, cache, err := prepare()
	if err != nil {
		return nil, err
	}
	kernel, err := cache.Kernel()
	if err != nil {
		return nil, &MissingError{Lack: LackBTF, What: "kernel type information (BTF)", Err: err}
	}
	layout, err := readLayout(kernel)
	if err != nil {
		return nil, &MissingError{Lack: LackBTF, What: "usable kernel type information (BTF)", Err: err}
	}
	s := &Session{layout: layout, mode: c.Attach, optionalRoles: c.Only, follows: c.follows()}
	self, err := s.inspect(spec, cache)
	if err != nil {
		return nil, errors.Join(refusal(err), s.Close())
	}
	s.nested = int(self) != os.Getpid()
	if !countsMissed(kernel) {
		s.profile = openProfile()
	}
	if err := c.constants(spec, self, s.root, readFacts(kernel), s.profile != nil); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.open(c, spec, cache); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func prepare() (*ebpf.CollectionSpec, *btf.Cache, error) {
	if err := checkBPF(); err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return nil, nil, &MissingError{Lack: LackBTF, What: "kernel type information (BTF)", Err: err}
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, nil, refusal(err)
	}
	spec, err := readObject(_DcacheBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("read the built-in programs: %w", err)
	}
	return spec, btf.NewCache(), nil
}

func setAll(spec *ebpf.CollectionSpec, values map[string]any) error {
	for name, value := range values {
		v := spec.Variables[name]
		if v == nil {
			return fmt.Errorf("no variable %s in the object", name)
		}
		if err := v.Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

func (s *Session) open(c Config, spec *ebpf.CollectionSpec, cache *btf.Cache) error {
	sized, err := sizedMaps(spec)
	defer func() {
		for _, m := range sized {
			m.Close() // the collection has duplicates of the descriptors
		}
	}()
	if err != nil {
		return err
	}
	coll, err := ebpf.NewCollectionWithOptions(withPrograms(spec), ebpf.CollectionOptions{MapReplacements: sized, Cache: cache})
	if err != nil {
		return refusal(err)
	}
	s.maps, s.vars = coll.Maps, coll.Variables
	coll.Maps = nil
	coll.Close()
	if s.losses, err = newLossMemory(s.maps["losses"]); err != nil {
		return err
	}
	if err := s.addTargets(c.PIDs); err != nil {
		return err
	}
	if err := s.attach(spec, cache); err != nil {
		return err
	}
	return s.closeUnused()
}

// sizedMaps creates the maps whose sizes the user chooses.
func sizedMaps(spec *ebpf.CollectionSpec) (map[string]*ebpf.Map, error) {
	maps := make(map[string]*ebpf.Map)
	for name, flag := range map[string]string{"events": "--buffer", "watch": "--watch"} {
		m, err := ebpf.NewMap(spec.Maps[name])
		var errno unix.Errno
		if errors.As(err, &errno) && (errno == unix.ENOMEM || errno == unix.E2BIG || errno == unix.EINVAL) {
			return maps, &SizeError{Flag: flag, Value: spec.Maps[name].MaxEntries, Err: errno}
		}
		if err != nil {
			return maps, refusal(err)
		}
		maps[name] = m
	}
	return maps, nil
}

// closeUnused closes what was needed only to attach. The programs in the kernel hold their maps themselves.
func (s *Session) closeUnused() error {
	errs := []error{s.queries.Programs["inspect"].Close()}
	delete(s.queries.Programs, "inspect")
	for name, m := range s.maps {
		if name != "events" && name != "targets" && name != "losses" {
			errs = append(errs, m.Close())
			delete(s.maps, name)
		}
	}
	return errors.Join(errs...)
}

// attach tries the plan and checks that the required roles are attached and hooks are on.
func (s *Session) attach(spec *ebpf.CollectionSpec, cache *btf.Cache) error {
	kernel, err := cache.Kernel()
	if err != nil {
		return err
	}
	a := &attacher{
		trampoline: object{spec, s.maps}, cache: cache, linksCount: countsMissed(kernel), profile: s.profile,
		preemption: s.preempt, trampolines: &s.trampolines, queries: s.queries,
	}
	s.probes, s.attempts = a.attachAll(s.plan(), func(p probe) bool {
		return s.optionalRoles == nil || p.required || slices.Contains(s.optionalRoles, p.role)
	})
	s.switches = openSwitches(hookSwitches, s.attempts, func(f *os.File, c candidate) *handlerProbe { return s.probeHandler(a, f, c) })
	return errors.Join(s.checkRequired(), s.switches.check(), a.kprobe.maps[stashMap].Close())
}

func (s *Session) plan() []probe {
	return plan(s.mode, kernelTraits{s.preempt.Interrupts(), s.profile != nil})
}

// checkRequired returns a *MissingError for the first required probe that is not attached. Without a file
// descriptor for one probe more, the others would be left out too.
func (s *Session) checkRequired() error {
	for _, a := range s.attempts {
		if errors.Is(a.Err, unix.EMFILE) || errors.Is(a.Err, unix.ENFILE) {
			return &MissingError{Lack: LackProbe, What: "probe for " + a.Symbol, Attempts: s.attempts, Err: a.Err}
		}
	}
	for _, p := range s.plan() {
		if !p.required || s.hasProbe(p.role, p.phase) {
			continue
		}
		err := s.attachErrors(p)
		if errors.Is(err, unix.EPERM) && !s.canTrace() {
			missing := refusal(unix.EPERM)
			missing.Attempts = s.attempts
			return missing
		}
		return &MissingError{Lack: LackProbe, What: "probe for " + p.candidates[0].symbol, Attempts: s.attempts, Err: err}
	}
	return nil
}

// attachErrors joins the reasons why a probe was not attached, without repeating any.
func (s *Session) attachErrors(p probe) (err error) {
	var said []string
	for _, a := range s.attempts {
		if a.Role != p.role || a.Phase != p.phase {
			continue
		}
		reason := fmt.Errorf("%s: %w", a.Symbol, a.Err)
		switch {
		case slices.Contains(said, reason.Error()):
		case err == nil:
			err = reason
		default:
			err = fmt.Errorf("%w; %w", err, reason)
		}
		said = append(said, reason.Error())
	}
	return err
}

// canTrace reports whether any function could be attached to. If not, the kernel refuses tracing as such, and
// the first role is not to blame.
func (s *Session) canTrace() bool {
	return slices.ContainsFunc(s.attempts, func(a Attempt) bool { return a.Attached && a.Attach != schema.TPBTF })
}

func (s *Session) hasProbe(role schema.Role, phase schema.Phase) bool {
	return slices.ContainsFunc(s.attempts, func(a Attempt) bool { return a.Role == role && a.Phase == phase && a.Attached })
}

// Attempts returns every try to attach, in order.
func (s *Session) Attempts() []Attempt { return s.attempts }

// Layout returns the structures of the running kernel.
func (s *Session) Layout() *schema.Layout { return s.layout }

// Enable makes the probes start recording. It fails if a process of Config.PIDs has ended meanwhile.
func (s *Session) Enable() error {
	var forget uint32
	if !s.hasProbe(schema.RoleFree, schema.Enter) {
		forget = 1
	}
	if err := errors.Join(s.profile.start(), s.switches.check()); err != nil {
		return err
	}
	s.polled = Now()
	if err := errors.Join(s.vars["forget_at_kill"].Set(forget), s.vars["enabled"].Set(uint32(1))); err != nil {
		return err
	}
	return errors.Join(s.pidfds.checkRunning(), s.pidfds.close())
}

// Disable stops all probes at once, at the same moment.
func (s *Session) Disable() error {
	s.blind.Store(true)
	return s.vars["enabled"].Set(uint32(0))
}

// Losses appends what was lost since the last call. Call it a few times a second, because the windows of
// LossMissed are the time between two calls. Later calls report no loss from before known less Lag; known is
// in nanoseconds since boot.
func (s *Session) Losses(dst []*schema.Loss) (losses []*schema.Loss, known uint64, err error) {
	now := Now()
	if dst, known, err = s.trampolines.takeRebuilt(dst, now); err != nil {
		return dst, known, err
	}
	dst, err = s.losses.take(dst)
	for _, p := range s.probes {
		n, missedErr := p.takeMissed()
		if missedErr != nil {
			err = errors.Join(err, missedErr)
			break
		}
		if n > 0 {
			dst = append(dst, &schema.Loss{Cause: s.causeOfMiss(p.role), Role: p.role, Count: n, FirstNs: s.polled, LastNs: Now()})
		}
	}
	if s.switches.wasOff() {
		dst = append(dst, s.switchedOffLosses()...)
	}
	s.polled = now
	if err == nil {
		from := len(dst)
		dst, err = s.profile.take(dst, s.blind.Load())
		for _, l := range dst[from:] {
			l.Cause = s.causeOfMiss(l.Role)
		}
	}
	return dst, known, err
}

// causeOfMiss returns the cause for missed hits of a role. A missed fork of a target means that the child is
// not followed, so that everything it does is missing.
func (s *Session) causeOfMiss(role schema.Role) schema.LossCause {
	if role == schema.RoleFork && s.follows {
		return schema.LossWatchOverflow
	}
	return schema.LossMissed
}

// Links returns duplicate descriptors of the links that hold the probes in the kernel. While they are open,
// Close takes no time and detaches none of these probes. Kprobes by perf events are not among them: one with
// a name in tracefs can only be removed by the session. The last descriptor tells recordings that begin
// meanwhile that these programs are leaving.
func (s *Session) Links() (links []*os.File, err error) {
	probes := s.probes
	if h := s.switches.probe; h != nil {
		probes = append(slices.Clip(probes), h.attached)
	}
	for _, p := range probes {
		l, ok := p.link.(interface{ FD() int })
		if _, perf := p.link.(link.PerfEvent); !ok || perf {
			continue
		}
		fd, err := unix.FcntlInt(uintptr(l.FD()), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return links, fmt.Errorf("duplicate a link: %w", err)
		}
		links = append(links, os.NewFile(uintptr(fd), "link"))
	}
	if sign, err := announceLeaving(); err == nil { // otherwise they wait a little
		links = append(links, sign)
	}
	return links, nil
}

// Close detaches everything and frees the memory. Drain the ring first.
func (s *Session) Close() error {
	var errs []error
	for _, p := range s.probes {
		errs = append(errs, p.close())
	}
	s.probes = nil
	errs = append(errs, s.profile.close(), s.switches.close(), s.pidfds.close())
	s.profile = nil
	if s.ring != nil {
		errs = append(errs, s.ring.close())
		s.ring = nil
	}
	for _, m := range s.maps {
		errs = append(errs, m.Close())
	}
	s.maps = nil
	if s.queries != nil {
		s.queries.Close()
		s.queries = nil
	}
	return errors.Join(errs...)
}
