// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// trampolines are the trampolines of the functions to which the session has attached. The return of a call in
// progress is missed if its trampoline is rebuilt meanwhile, which happens whenever a program is attached to
// or detached from the function: see look_at_trampolines in dcache.bpf.c.
type trampolines struct {
	read    func(found []foundTrampoline) error // reads their present state
	watched []trampoline
	found   []foundTrampoline // in the same order as watched
	slack   uint64            // how long before the new image's address appears the old code may have ended, nanoseconds; 0 if the mutex shows that
}

// trampoline is one of them, as last seen.
type trampoline struct {
	at       uint64      // address of the struct bpf_trampoline
	role     schema.Role // role of the exit recorded there; unspecified if none is
	programs uint32      // number of this session's programs on it
	image    uint64      // address of its code
	clean    uint64      // when it last had that code and was not being rebuilt, nanoseconds since boot
}

// foundTrampoline mirrors struct trampoline of target.h.
type foundTrampoline struct {
	At, Image      uint64
	Programs, Held uint32
}

// trampolineMembers returns the variables that tell the kernel side at which offsets to read a trampoline. It
// returns nil if this kernel lacks one of the members; what fexit misses is then not known. The variable for
// the mutex is absent where struct bpf_trampoline has none (7.3).
func trampolineMembers(kernel *btf.Spec) map[string]any {
	at := func(structure, field string) (uint32, bool) {
		var s *btf.Struct
		if kernel.TypeByName(structure, &s) != nil {
			return 0, false
		}
		return offset(s, field)
	}
	of, ok1 := at("bpf_tracing_link", "trampoline")
	programs, ok2 := at("bpf_trampoline", "progs_cnt")
	image, ok3 := at("bpf_trampoline", "cur_image")
	mutex, ok4 := at("bpf_trampoline", "mutex")
	owner, ok5 := at("mutex", "owner")
	if base, ok := at("mutex", "rtmutex"); ok { // PREEMPT_RT
		owner, ok5 = at("rt_mutex_base", "owner")
		owner += base
	}
	if !ok1 || !ok2 || !ok3 {
		return nil
	}
	members := map[string]any{"link_trampoline": of, "trampoline_programs": programs, "trampoline_image": image}
	if ok4 && ok5 {
		members["trampoline_owner"] = mutex + owner
	}
	return members
}

// noteAttached notes that a link of the session has put a program on the function whose trampoline is at an
// address. It returns false if the address is 0 (not known) or if there are too many trampolines.
func (t *trampolines) noteAttached(role schema.Role, attach schema.Attach, at uint64) bool {
	i := slices.IndexFunc(t.watched, func(w trampoline) bool { return w.at == at })
	if i < 0 {
		if at == 0 || len(t.watched) == lossRoles {
			return false
		}
		i, t.watched = len(t.watched), append(t.watched, trampoline{at: at})
	}
	if t.watched[i].programs++; attach == schema.Fexit {
		t.watched[i].role = role
	}
	return true
}

// trampolineOf returns the address of the trampoline on which a link of this process has put a program; 0 if
// it is not known.
func trampolineOf(queries *ebpf.Collection, l link.Link) uint64 {
	var found foundTrampoline
	on, ok := l.(interface{ FD() int })
	if !ok || ask(queries, "trampoline_of", "link_fd", int32(on.FD()), "trampoline", &found) != nil {
		return 0
	}
	return found.At
}

// How long a recording waits for other programs to leave its functions. maxUnchangedWait applies if nothing changes
// and no recorder announces that it is leaving, as after one was killed. maxWait is the limit in any case:
// the programs of a recording are detached one after the other, with a grace period of RCU-tasks for each.
const (
	maxUnchangedWait = 500 * time.Millisecond
	maxWait          = time.Minute
)

// leavingName is the prefix of the names of the sockets, in the abstract namespace, that announce that a
// recorder is leaving.
const leavingName = "@dtrec-leaving-"

// announceLeaving returns a descriptor that announces, as long as it is open, that the programs of this process are
// being detached.
func announceLeaving() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "leaving")
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprint(leavingName, os.Getpid())}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// isLeaving reports whether some recorder announces this, as far as this network namespace shows.
func isLeaving() bool { return hasSocket(leavingName) }

// hasSocket reports whether the name of some unix socket contains this text.
func hasSocket(name string) bool {
	names, _ := os.ReadFile("/proc/net/unix")
	return bytes.Contains(names, []byte(name))
}

// begin starts the reporting of rebuilt trampolines. First it waits until the programs of recordings that
// have ended are detached; those that stay belong to somebody else. wait is asked whether to go on waiting.
func (t *trampolines) begin(queries *ebpf.Collection, wait func() bool) error {
	t.found = make([]foundTrampoline, lossRoles)
	for i := range t.watched {
		t.found[i].At = t.watched[i].at
	}
	if err := queries.Variables["trampolines"].Set(t.found); err != nil {
		return err
	}
	t.read = func(found []foundTrampoline) error {
		if _, err := queries.Programs["look_at_trampolines"].Run(&ebpf.RunOptions{}); err != nil {
			return fmt.Errorf("look at trampolines: %w", err)
		}
		return queries.Variables["trampolines"].Get(found)
	}
	began := time.Now()
	for last, left := began, 0; ; time.Sleep(10 * time.Millisecond) {
		now := Now()
		if err := t.read(t.found); err != nil {
			return err
		}
		others := t.countOthers()
		if others != left || others > 0 && isLeaving() {
			last, left = time.Now(), others
		}
		if others == 0 || time.Since(last) > maxUnchangedWait || time.Since(began) > maxWait || !wait() {
			for i := range t.watched {
				t.watched[i].image, t.watched[i].clean = t.found[i].Image, now
			}
			return nil
		}
	}
}

// countOthers counts the programs on these functions that are not the session's, plus the trampolines that are
// being rebuilt.
func (t *trampolines) countOthers() (n int) {
	for i, tr := range t.watched {
		n += int(t.found[i].Programs) - int(tr.programs) + int(min(t.found[i].Held, 1))
	}
	return max(n, 0)
}

// takeRebuilt appends a loss for each trampoline that was rebuilt since the last call. All such losses from
// before known, in nanoseconds since boot, have been reported.
func (t *trampolines) takeRebuilt(dst []*schema.Loss, now uint64) (losses []*schema.Loss, known uint64, err error) {
	if t.read == nil { // before begin
		return dst, now, nil
	}
	if err := t.read(t.found); err != nil {
		return dst, now, err
	}
	known = now
	for i := range t.watched {
		tr, found := &t.watched[i], &t.found[i]
		if found.Image != tr.image {
			if tr.role != schema.Role_ROLE_UNSPECIFIED {
				dst = append(dst, &schema.Loss{Cause: schema.LossRebuilt, Role: tr.role, Count: 1, FirstNs: tr.clean - min(tr.clean, t.slack), LastNs: Now()})
			}
			tr.image, tr.clean = found.Image, now
		} else if found.Held == 0 {
			tr.clean = now
		}
		known = min(known, tr.clean)
	}
	return dst, known, nil
}
