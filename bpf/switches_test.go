// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// A switch that is off is noticed, from the look before until hooks are certainly back, and so is one that
// was off between two looks. A switch on which nothing depends is ignored.
func TestSwitches(t *testing.T) {
	dir := t.TempDir()
	ftrace, kprobes := filepath.Join(dir, "ftrace"), filepath.Join(dir, "kprobes")
	set := func(file, to string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(to+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set(ftrace, "1")
	set(kprobes, "1")
	list := []hookSwitch{{path: ftrace, affects: hookSwitches[0].affects}, {path: kprobes, affects: hookSwitches[1].affects}, {path: filepath.Join(dir, "none"), affects: hookSwitches[0].affects}}
	attached := func(how schema.Attach) []Attempt {
		return []Attempt{{Probe: &schema.Probe{Attach: schema.Kprobe}}, {Probe: &schema.Probe{Attach: how, Attached: true}}}
	}
	s := openSwitches(list, attached(schema.KprobeMulti), nil)
	look := func(want bool) {
		t.Helper()
		if got := s.wasOff(); got != want {
			t.Errorf("it was off: %t, want %t", got, want)
		}
	}
	look(false)
	set(kprobes, "0")
	look(false)
	set(ftrace, "0")
	look(true)
	look(true)
	var missing *MissingError
	if err := s.check(); !errors.As(err, &missing) || missing.Lack != LackHooks {
		t.Errorf("it is off: %v", err)
	}
	for range 2 {
		set(ftrace, "0")
		set(ftrace, "1")
		look(true)
		look(true)
		if s.offUntil -= rehookTime; s.offUntil > Now() {
			t.Error("hooks are said to take longer to be back than they may")
		}
		look(false)
	}
	if err := errors.Join(s.check(), s.close()); err != nil {
		t.Error(err)
	}
	for how, want := range map[schema.Attach]int{schema.TPBTF: 0, schema.Fentry: 1, schema.Kprobe: 2, schema.KretprobeMulti: 1, schema.Kretprobe: 2} {
		if s := openSwitches(list, attached(how), nil); len(s.files) != want || s.close() != nil {
			t.Errorf("attach %d depends on %d switches, want %d", how, len(s.files), want)
		}
	}
}

// If the kernel side sees a switch, its file is neither read nor watched, so a write that changes nothing is
// no loss. The switch is off while the kernel side says so, and was off if its count has grown.
func TestHandledSwitch(t *testing.T) {
	file := writeFile(t, "1\n")
	on := []Attempt{{Probe: &schema.Probe{Attach: schema.Fexit, Attached: true}}}
	var switched uint32
	var off bool
	s := openSwitches([]hookSwitch{{path: file, affects: hookSwitches[0].affects, handler: hookSwitches[0].handler}}, on, func(*os.File, candidate) *handlerProbe {
		return &handlerProbe{read: func() (uint32, bool) { return switched, off }}
	})
	write := func(value string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, step := range []struct {
		do   func()
		want bool
	}{
		{func() {}, false}, {func() { write("1\n") }, false}, {func() { write("0\n") }, false},
		{func() { off = true }, true}, {func() { off = false }, true}, {func() { s.offUntil = 0 }, false},
		{func() { switched += 2 }, true}, {func() { s.offUntil = 0 }, false},
	} {
		if step.do(); s.wasOff() != step.want {
			t.Errorf("step %d: it was off: %t", i, !step.want)
		}
	}
	if s.check() == nil {
		t.Error("a recording would begin without hooks")
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// While functions are unhooked anything may be missing. If forks are seen through such a hook, all that a
// child does from then on may be missing too.
func TestSwitchedOff(t *testing.T) {
	for how, want := range map[schema.Attach]int{schema.TPBTF: 1, schema.KprobeMulti: 2} {
		s := &Session{follows: true, polled: 7, attempts: []Attempt{{Probe: &schema.Probe{Role: schema.RoleFork, Attach: how, Attached: true}}}}
		l := s.switchedOffLosses()
		if len(l) != want || l[0].Cause != schema.LossSwitchedOff || l[0].Role != 0 || l[0].FirstNs != 7 || l[0].Count != 1 || l[len(l)-1].Cause.Endless() != (want == 2) {
			t.Errorf("attach %d: %v", how, l)
		}
	}
}
