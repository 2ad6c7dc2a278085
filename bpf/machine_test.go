// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMissingCapabilities(t *testing.T) {
	for caps, want := range map[string]string{
		"0000000000000000": "CAP_BPF and CAP_PERFMON",
		"0000000000200000": "", // CAP_SYS_ADMIN
		"000000c000000000": "", // both
		"0000008000000000": "CAP_PERFMON",
		"0000004000000000": "CAP_BPF",
		"nonsense":         "",
	} {
		path := writeFile(t, "Name:\tx\nCapEff:\t"+caps+"\nCapBnd:\t0\n")
		if got := missingCapabilities(path); got != want {
			t.Errorf("%s: %q, want %q", caps, got, want)
		}
	}
	if got := missingCapabilities("/does/not/exist"); got != "" {
		t.Errorf("unknown capabilities are called missing: %q", got)
	}
}

func TestEffectiveCapabilities(t *testing.T) {
	path := writeFile(t, "CapEff:\t0000008000200000\n")
	if got, err := effectiveCapabilities(path); err != nil || strings.Join(got, " ") != "CAP_BPF CAP_SYS_ADMIN" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"CapEff:\tx\n", "Name:\tx\n"} {
		if got, err := effectiveCapabilities(writeFile(t, text)); err == nil {
			t.Errorf("%q: capabilities %v", text, got)
		}
	}
}

// What there was too little of is no answer about the kernel, at whichever step it came.
func TestShortage(t *testing.T) {
	tried := []Attempt{{}}
	for _, test := range []struct {
		err  error
		want Lack
	}{
		{refusal(fmt.Errorf("map losses: %w", unix.EMFILE)), LackFiles},
		{&MissingError{Lack: LackProbe, Attempts: tried, Err: fmt.Errorf("load: %w", unix.ENFILE)}, LackFiles},
		{errors.Join(fmt.Errorf("pidfd: %w", unix.EMFILE), nil), LackFiles},
		{&MissingError{Lack: LackBTF, Err: &fs.PathError{Op: "open", Err: unix.EMFILE}}, LackFiles},
		{&MissingError{Lack: LackProbe, Attempts: tried, Err: unix.ENOMEM}, LackMemory},
		{&SizeError{Flag: "--buffer", Err: unix.ENOMEM}, 0},
		{&MissingError{Lack: LackTracing, Err: unix.EINVAL}, 0},
		{nil, 0},
	} {
		got := shortage(test.err)
		if got == nil && test.want != 0 || got != nil && got.Lack != test.want {
			t.Errorf("%v: %v, want lack %d", test.err, got, test.want)
		}
		if was := (*MissingError)(nil); got != nil && errors.As(test.err, &was) && len(got.Attempts) != len(was.Attempts) {
			t.Errorf("%v: the attempts are lost", test.err)
		}
	}
}

// A probe left out for want of a file descriptor is no probe that this kernel lacks, even if none needs it.
func TestProbesForWantOfFiles(t *testing.T) {
	s := &Session{}
	for _, p := range s.plan() {
		s.attempts = append(s.attempts, Attempt{Probe: &schema.Probe{Role: p.role, Phase: p.phase, Attached: true}})
	}
	if err := s.checkRequired(); err != nil {
		t.Fatal(err)
	}
	s.attempts = append(s.attempts, Attempt{Probe: &schema.Probe{Symbol: "d_alloc"}, Err: fmt.Errorf("load: %w", unix.EMFILE)})
	if missing := shortage(s.checkRequired()); missing == nil || missing.Lack != LackFiles {
		t.Errorf("got %v", missing)
	}
}

func TestLockdown(t *testing.T) {
	for text, want := range map[string]string{
		"[none] integrity confidentiality\n": "none",
		"none [integrity] confidentiality\n": "integrity",
		"":                                   "",
	} {
		if got := lockdownMode(writeFile(t, text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Symbols are found also where kptr_restrict hides their addresses; those of modules are not.
func TestKallsyms(t *testing.T) {
	path := writeFile(t, "ffffffff81000000 T _text\nffffffff82345678 d d_hash_shift\n0000000000000000 T register_kprobe\n"+
		"ffffffff82345680 d dentry_hashtable\nffffffffc0000000 t other\t[module]\n")
	got, err := kallsyms(path, "d_hash_shift", "dentry_hashtable", "register_kprobe", "other", "absent")
	if want := map[string]uint64{"d_hash_shift": 0xffffffff82345678, "dentry_hashtable": 0xffffffff82345680, "register_kprobe": 0}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %#x, %v", got, err)
	}
	if _, err := kallsyms("/does/not/exist"); err == nil {
		t.Error("a missing file is read")
	}
}

// A member is found also where later kernels moved it into an anonymous union or struct.
func TestMember(t *testing.T) {
	word := &btf.Int{Name: "u64", Size: 8}
	union := &btf.Union{Members: []btf.Member{{Name: "__d_name", Type: word}, {Name: "d_name", Type: word}}}
	inner := &btf.Struct{Members: []btf.Member{{Name: "x", Type: word}, {Name: "name", Type: word, Offset: 64}}}
	s := &btf.Struct{Members: []btf.Member{
		{Name: "first", Type: word},
		{Type: union, Offset: 256},
		{Type: inner, Offset: 320},
		{Name: "named", Type: inner, Offset: 640},
	}}
	for field, want := range map[string]uint32{"first": 0, "d_name": 32, "name": 48, "named": 80} {
		if got, ok := offset(s, field); !ok || got != want {
			t.Errorf("%s: %d %t, want %d", field, got, ok, want)
		}
	}
	if _, ok := offset(s, "absent"); ok {
		t.Error("an absent field is found")
	}
}

func TestCommWords(t *testing.T) {
	got := commWords("0123456789abcdefXYZ") // the kernel keeps 15 bytes
	want := [2]uint64{binary.NativeEndian.Uint64([]byte("01234567")), binary.NativeEndian.Uint64([]byte("89abcde\x00"))}
	if got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
}

// The position of a slot says whose loss it is, and only what was not acknowledged counts.
func TestSlotLoss(t *testing.T) {
	const cpu, cause, role = 3, schema.LossWatchOverflow, schema.RoleAlloc
	slot := make([]byte, slotSize)
	for i, v := range []uint64{10, 4, 1000, 2000} {
		binary.LittleEndian.PutUint64(slot[8*i:], v)
	}
	loss := slotLoss(slot, (cpu*lossCauses+int(cause))*lossRoles+int(role))
	if want := (&schema.Loss{Cause: cause, Role: role, Cpu: cpu, Count: 6, FirstNs: 1000, LastNs: 2000}); !proto.Equal(loss, want) {
		t.Errorf("got %+v, want %+v", loss, want)
	}
}

// slots holds the struct loss_slot of one CPU, as the kernel side writes them.
type slots struct {
	b     []byte
	onAck func() // adds a loss just before an acknowledgement
}

func (s *slots) ReadAt(p []byte, off int64) (int, error) { return copy(p, s.b[off:]), nil }

func (s *slots) WriteAt(p []byte, off int64) (int, error) {
	if s.onAck != nil {
		s.onAck()
		s.onAck = nil
	}
	return copy(s.b[off:], p), nil
}

// lose does what lost_within of emit.h does.
func (s *slots) lose(cause schema.LossCause, role schema.Role, first, last uint64) {
	le := binary.LittleEndian
	slot := s.b[(int(cause)*lossRoles+int(role))*slotSize:]
	if le.Uint64(slot) == le.Uint64(slot[8:]) || first < le.Uint64(slot[16:]) {
		le.PutUint64(slot[16:], first)
	}
	le.PutUint64(slot[24:], max(last, le.Uint64(slot[24:])))
	le.PutUint64(slot, le.Uint64(slot)+1)
}

// A loss between the reading and the acknowledgement is reported the next time, in a window that contains it
// and begins no earlier than necessary; the window of an exit that was never seen begins at the entry.
func TestLossWindows(t *testing.T) {
	newLosses := func() (*slots, *lossMemory) {
		s := &slots{b: make([]byte, lossCauses*lossRoles*slotSize)}
		return s, &lossMemory{memory: s, buf: make([]byte, len(s.b)), reported: make([]uint64, lossCauses*lossRoles)}
	}
	take := func(l *lossMemory) []*schema.Loss {
		got, err := l.take(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, cause := range []schema.LossCause{schema.LossRingBuffer, schema.LossMissed} {
		s, l := newLosses()
		start := Now()
		s.lose(cause, schema.RoleOpen, start, start)
		var raced uint64
		s.onAck = func() { raced = Now(); s.lose(cause, schema.RoleOpen, raced, raced) }
		if got := take(l); len(got) != 1 || got[0].Count != 1 || got[0].FirstNs != start || got[0].LastNs != start {
			t.Errorf("cause %d, the first look: %+v", cause, got)
		}
		looked := l.taken
		got := take(l)
		if len(got) != 1 || got[0].Count != 1 || got[0].FirstNs > raced || got[0].LastNs < raced || got[0].FirstNs > looked {
			t.Errorf("cause %d, lost at %d, looked at %d: %+v", cause, raced, looked, got)
		}
		if cause == schema.LossMissed && got[0].FirstNs != start {
			t.Errorf("an exit may be missing since %d: %+v", start, got)
		}
		if got := take(l); len(got) != 0 {
			t.Errorf("cause %d, nothing lost: %+v", cause, got)
		}
		later := Now()
		s.lose(cause, schema.RoleOpen, later, later)
		if got := take(l); len(got) != 1 || got[0].FirstNs != later || got[0].LastNs != later {
			t.Errorf("cause %d, another window, at %d: %+v", cause, later, got)
		}
	}
	s, l := newLosses()
	now := Now()
	s.lose(schema.LossMissed, schema.RoleUnlink, now, now)
	s.lose(schema.LossMissed, schema.RoleUnlink, 5, now-1) // entered earlier, and found missing earlier
	if got := take(l); len(got) != 1 || got[0].FirstNs != 5 || got[0].LastNs != now {
		t.Errorf("the older one found later: %+v", got)
	}
}

// Scan returns whole records up to the first unfinished one, in the order of the ring, also across its end,
// without the discarded ones. All that happened before the horizon has been returned, and records that were
// not released remain.
func TestRing(t *testing.T) {
	const size = 256
	r := &ring{consumer: make([]byte, 8), producer: make([]byte, 8), words: make([]uint64, size/8)}
	written := uint64(0)
	write := func(bits uint32) {
		r.words[written%size/8] = 24 | uint64(bits)
		for i := written + ringHeader; i < written+32; i += 8 {
			r.words[i%size/8] = 0x0101010101010101 * uint64(byte(written/32))
		}
		written += 32
		binary.LittleEndian.PutUint64(r.producer, written)
	}
	want := byte(0)
	for i := range 40 {
		write(ringDiscard)
		write(0)
		if i%3 == 0 {
			write(ringBusy)
		}
		before := Now()
		got, _, more := r.Scan(nil, 9)
		if more {
			t.Fatal("there is room, and it says there is not")
		}
		if i%3 == 0 {
			if r.horizon >= before {
				t.Fatal("the horizon is beyond a record that is not done")
			}
			r.words[(written-32)%size/8] = 24
			got, _, _ = r.Scan(got, 9)
		}
		if rest, _, more := r.Scan(nil, 0); len(rest) != 0 || more || r.horizon < before {
			t.Fatalf("%d more, horizon %d of %d", len(rest), r.horizon, before)
		}
		for _, e := range got {
			if want = byte(e.At / 32); e.Time != 0x0101010101010101*uint64(want) {
				t.Fatalf("time %#x of record %d", e.Time, want)
			}
			if b := SentOf(r.Record(e.At)); b.Text != strings.Repeat(string([]byte{want}), 24) || len(b.Words) != 3 || b.Words[2] != e.Time {
				t.Fatalf("record %d is %v", want, b)
			}
		}
		r.Release(r.scanned)
	}
	if uint64(want) != written/32-1 || binary.LittleEndian.Uint64(r.consumer) != written {
		t.Fatalf("the last is %d of %d, released up to %d", want, written/32, binary.LittleEndian.Uint64(r.consumer))
	}
	write(0)
	write(0)
	if got, _, more := r.Scan(nil, 1); len(got) != 1 || !more {
		t.Errorf("%d records, more %t", len(got), more)
	}
}

// SkipBusy makes the records behind an unfinished one readable.
func TestRingPast(t *testing.T) {
	r := &ring{producer: make([]byte, 8), words: []uint64{8, 1, 8 | ringBusy, 2, 8, 3, 8 | ringBusy, 4}}
	binary.LittleEndian.PutUint64(r.producer, 64)
	if got, _, _ := r.Scan(nil, 9); len(got) != 1 || r.scanned != 16 {
		t.Errorf("%v, %d bytes before one that is not done", got, r.scanned)
	}
	if busy := r.SkipBusy(); busy != 2 {
		t.Errorf("%d are not done", busy)
	}
	if got, _, _ := r.Scan(nil, 9); len(got) != 1 || got[0].Time != 3 || r.scanned != 64 {
		t.Errorf("%v, %d bytes past it", got, r.scanned)
	}
}

// A record that wraps around the end of the ring buffer is joined.
func TestRingTorn(t *testing.T) {
	word := func(text string) uint64 { return binary.LittleEndian.Uint64([]byte(text)) }
	r := &ring{words: make([]uint64, 8)}
	copy(r.words[6:], []uint64{word("\x18\x00\x00\x00...."), word("01234567")})
	copy(r.words, []uint64{word("89abcdef"), word("ghijklmn")})
	if b := SentOf(r.Record(48)); b.Text != "0123456789abcdefghijklmn" || len(b.Words) != 3 {
		t.Errorf("%v", b)
	}
}

// A missed fork hides everything the child does, if the child would have been followed.
func TestCauseOfMiss(t *testing.T) {
	for _, test := range []struct {
		config Config
		role   schema.Role
		want   schema.LossCause
	}{
		{Config{FollowChildren: true}, schema.RoleFork, schema.LossWatchOverflow},
		{Config{FollowChildren: true}, schema.RoleOpen, schema.LossMissed},
		{Config{PIDs: []uint32{1}, Comm: "x"}, schema.RoleFork, schema.LossWatchOverflow},
		{Config{Adopts: true}, schema.RoleFork, schema.LossWatchOverflow},
		{Config{Adopts: true, Comm: "x"}, schema.RoleFork, schema.LossWatchOverflow},
		{Config{All: true}, schema.RoleFork, schema.LossMissed},
		{Config{Comm: "x"}, schema.RoleFork, schema.LossMissed},
	} {
		s := &Session{follows: test.config.follows()}
		if got := s.causeOfMiss(test.role); got != test.want {
			t.Errorf("%+v, role %d: cause %d, want %d", test.config, test.role, got, test.want)
		}
	}
}
