// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"fmt"
	"os"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// A trampoline that is rebuilt for another session's program is reported as a loss of its role, beginning
// when it was last seen unchanged with its mutex free. Until that is reported, later losses do not count as
// known.
func TestRebuiltTrampolines(t *testing.T) {
	var now []foundTrampoline
	ts := &trampolines{found: make([]foundTrampoline, 2), read: func(found []foundTrampoline) error { copy(found, now); return nil }}
	ts.noteAttached(schema.RoleOpen, schema.Fentry, 0x10)
	ts.noteAttached(schema.RoleOpen, schema.Fexit, 0x10)
	ts.noteAttached(schema.RoleFree, schema.Fentry, 0x20)
	if ts.noteAttached(schema.RoleLookup, schema.Fexit, 0) {
		t.Error("where the trampoline is not known it is looked after")
	}
	if len(ts.watched) != 2 || ts.watched[0].programs != 2 || ts.watched[0].role != schema.RoleOpen || ts.watched[1].role != schema.Role_ROLE_UNSPECIFIED {
		t.Fatalf("trampolines are %+v", ts.watched)
	}
	ts.watched[0].image, ts.watched[1].image = 1, 2
	for i, step := range []struct {
		at         uint64
		open, free foundTrampoline
		first      uint64 // start of the loss; 0 if there is none
		known      uint64
	}{
		{at: 100, open: foundTrampoline{Image: 1}, free: foundTrampoline{Image: 2}, known: 100},
		{at: 200, open: foundTrampoline{Image: 1, Held: 1}, free: foundTrampoline{Image: 2}, known: 100}, // perhaps being rebuilt now
		{at: 300, open: foundTrampoline{Image: 1, Held: 1}, free: foundTrampoline{Image: 2}, known: 100},
		{at: 400, open: foundTrampoline{Image: 3, Held: 1}, free: foundTrampoline{Image: 2}, first: 100, known: 400},
		{at: 500, open: foundTrampoline{Image: 3, Held: 1}, free: foundTrampoline{Image: 2}, known: 400}, // the next rebuilding
		{at: 600, open: foundTrampoline{Image: 4}, free: foundTrampoline{Image: 2}, first: 400, known: 600},
		{at: 700, open: foundTrampoline{Image: 4}, free: foundTrampoline{Image: 9}, known: 700}, // entries are not missed
		{at: 800, open: foundTrampoline{Image: 4}, free: foundTrampoline{Image: 9}, known: 800},
		{at: 900, open: foundTrampoline{Image: 5}, free: foundTrampoline{Image: 9}, first: 800, known: 900}, // between two looks
	} {
		now = []foundTrampoline{step.open, step.free}
		losses, known, err := ts.takeRebuilt(nil, step.at)
		if err != nil || known != step.known || len(losses) != int(min(step.first, 1)) {
			t.Fatalf("step %d: %v losses, known %d, %v", i, losses, known, err)
		}
		if len(losses) == 0 {
			continue
		}
		l := losses[0]
		if l.Cause != schema.LossRebuilt || l.Role != schema.RoleOpen || l.Count != 1 || l.FirstNs != step.first || l.LastNs < l.FirstNs {
			t.Errorf("step %d: %v", i, l)
		}
	}
}

// If no mutex shows the rebuilding, it may have begun a while before the last look.
func TestRebuiltWithoutMutex(t *testing.T) {
	ts := &trampolines{watched: []trampoline{{role: schema.RoleOpen, image: 1, clean: 100}}, found: make([]foundTrampoline, 1), slack: 30}
	ts.read = func(found []foundTrampoline) error { found[0].Image++; return nil }
	ts.found[0].Image = 1
	for _, want := range []uint64{70, 170} {
		if losses, _, err := ts.takeRebuilt(nil, want+130); err != nil || len(losses) != 1 || losses[0].FirstNs != want {
			t.Fatalf("%v, %v, want one from %d", losses, err, want)
		}
	}
}

// countOthers counts the programs that are not the session's own, and trampolines whose mutex is held.
func TestOthersOnTrampolines(t *testing.T) {
	ts := &trampolines{watched: []trampoline{{programs: 2}, {programs: 1}}}
	for want, found := range [][]foundTrampoline{
		{{Programs: 2}, {Programs: 1}}, {{Programs: 2, Held: 7}, {Programs: 1}}, {{Programs: 3}, {Programs: 2}}, {{Programs: 4}, {Programs: 1, Held: 1}},
	} {
		if ts.found = found; ts.countOthers() != want {
			t.Errorf("%+v: %d, want %d", found, ts.countOthers(), want)
		}
	}
}

// A recorder that begins while another one's programs are leaving sees that, until the last descriptor is
// closed.
func TestLeaving(t *testing.T) {
	own := fmt.Sprint(leavingName, os.Getpid(), "\n")
	sign, err := announceLeaving()
	if err != nil {
		t.Fatal(err)
	}
	if !isLeaving() || !hasSocket(own) {
		t.Error("it is not seen")
	}
	if err := sign.Close(); err != nil || hasSocket(own) {
		t.Errorf("it is seen after the end, %v", err)
	}
}
