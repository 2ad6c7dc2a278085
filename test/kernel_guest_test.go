// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtrec/dtrec/internal/vm"
)

// errand is a command line for a guest. A kernel boots twice for all its errands: the second time for
// those with a filesystem of their own and for Debian's programs. Each errand finds the guest as if it
// had just booted.
type errand struct {
	test  string   // the test, or tests, that it belongs to
	name  string   // its name, which the trace has too
	line  []string // outPlace in it becomes the path of the trace, or of the directory for a scene's traces
	fs    string   // filesystem of /tmp and the working directory, in the second guest; empty: it runs in the first guest
	alone []string // flags of a dtrec vm of its own; nil: it runs with the others
	outer bool     // only on the oldest and the newest kernel
	race  bool     // processes at once are what it is about
}

const outPlace = "OUT"

// recording returns the command line of dtrec record with these arguments.
func recording(args ...string) []string {
	return append([]string{"/dtrec", "record", "-o", outPlace}, args...)
}

// scene returns the command line that plays a scene, see test/scene.
func scene(name string) []string { return []string{"/proc/self/exe", name, outPlace} }

// schedule returns all that is done on a kernel, in order.
func schedule() []errand {
	everything := []string{"--workload", "all"}
	e := []errand{
		{test: "TestKernelWorkloads", name: "all", line: recording(everything...)},
		{test: "TestKernelAttach", name: "fentry", line: recording(append(everything, "--attach", "fentry")...)},
		{test: "TestKernelAttach", name: "kprobe", line: recording(append(everything, "--attach", "kprobe")...)},
		{test: "TestKernelDoctor", name: "doctor-fentry", line: []string{"/dtrec", "doctor", "--attach", "fentry", "--format", "json"}, outer: true},
		{test: "TestKernelDoctor", name: "doctor-kprobe", line: []string{"/dtrec", "doctor", "--attach", "kprobe", "--format", "json"}, outer: true},
		{test: "TestKernelLoss", name: "loss", line: scene("loss"), race: true},
		{test: "TestKernelRebuilt", name: "rebuilt", line: scene("rebuilt"), outer: true},
		{test: "TestKernelUses", name: "uses", line: recording("--", "/uses", usesDir)},
		{test: "TestKernelRandom", name: "random", line: recording("--", "/random", "--seed", fmt.Sprint(seed()), "--ops", "2000", "--free", "120")},
		{test: "TestKernelRecording", name: "record", line: scene("record")},
		{test: "TestKernelRotation", name: "rotation", line: scene("rotation")},
		{test: "TestKernelLifetime", name: "lifetime", line: scene("lifetime"), race: true, outer: true},
		{test: "TestKernelTarget", name: "target", line: scene("target"), outer: true},
		{test: "TestKernelBusy", name: "busy", line: recording("--", "/target", "walk", "/sys", "1"), outer: true},
		{test: "TestKernelRace", name: "race", line: recording("--workload", "race"), race: true},
		{test: "TestKernelWorkloads", name: "again", line: recording(everything...), fs: vm.FSExt4},
		{test: "TestKernelFilesystems", name: "tmpfs", line: recording(everything...), fs: vm.FSTmpfs},
		{test: "TestKernelFilesystems", name: "overlay", line: recording(everything...), fs: vm.FSOverlay},
	}
	if isSelected("TestKernelStrace") || isSelected("TestKernelAnswers") {
		e = append(e, straces()...)
	}
	for _, c := range commands {
		e = append(e, errand{test: "TestKernelCommand", name: c.name, line: append(recording("--only", "open", "--"), c.line...)})
	}
	return e
}

// outcome is the result of an errand.
type outcome struct {
	Stdout, Stderr string
	Code           int

	trace string // path of the trace, or of the directory of a scene
	ready chan struct{}
	err   error // error of the guest
}

// waitForErrand waits for an errand and returns its outcome. The first call for any errand starts them all.
func waitForErrand(t *testing.T, release, name string) *outcome {
	t.Helper()
	all, err := errands()
	if err != nil {
		t.Fatal(err)
	}
	o := all[release+" "+name]
	if o == nil {
		t.Fatalf("no errand %s on %s", name, release)
	}
	if <-o.ready; o.err != nil {
		t.Fatal(o.err)
	}
	return o
}

// sideBySide is how many guests run at once. A guest waits for a third of its time, as at the end of a
// recording the kernel waits for RCU-tasks for one function after the other. The virtual CPUs of all
// guests but one take turns: with two threads each, on a machine with two CPUs, they would wait for
// each other instead and take twice the time.
const sideBySide = 3

// guest is a kernel that boots once for several errands.
type guest struct {
	kernel, release string
	dir             string // directory that the errands' files are brought back to
	config          vm.Config
	list            []errand
}

// guestsOf returns the two guests of a kernel. The virtual CPUs of the first run at once; or in turn, and then the second is on
// for races only, since a quarter of the work of a recording on two is that one waits for the other whenever the kernel patches
// its code. The second guest has one CPU, and Debian's programs.
func guestsOf(kernel, release, dir string, atOnce bool) (first, second *guest) {
	first = &guest{kernel: kernel, release: release, dir: filepath.Join(dir, release, "first"), config: vm.Config{OneThread: !atOnce}}
	second = &guest{kernel: kernel, release: release, dir: filepath.Join(dir, release, "second"), config: vm.Config{FS: vm.FSOverlay, SMP: 1}}
	if isSelected("TestKernelStrace") || isSelected("TestKernelAnswers") {
		second.config.Files = []vm.File{{Host: guestPrograms(), Guest: "/"}}
	}
	return first, second
}

// errands starts the errands of the tests that were asked for, on every kernel. It returns their
// outcomes by release and name.
var errands = sync.OnceValues(func() (map[string]*outcome, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, files := filepath.Dir(bin), kernelFiles()
	all := make(map[string]*outcome)
	var firsts, seconds []*guest
	for i, kernel := range files {
		release, err := vm.KernelRelease(kernel)
		if err != nil {
			return nil, err
		}
		outer := i == 0 || i == len(files)-1
		first, second := guestsOf(kernel, release, dir, i == len(files)/2)
		for _, e := range schedule() {
			switch {
			case !isSelected(e.test) || e.outer && !outer:
			case e.fs == "":
				first.list = append(first.list, e)
			default:
				second.list = append(second.list, e)
			}
		}
		firsts, seconds = append(firsts, first), append(seconds, second)
	}
	others, err := refusing(dir)
	if err != nil {
		return nil, err
	}
	var work []func() // the longest runs first
	for _, g := range slices.Concat(firsts, seconds, others) {
		for _, e := range g.list {
			all[g.release+" "+e.name] = &outcome{ready: make(chan struct{})}
		}
		if len(g.list) > 0 {
			work = append(work, func() { g.run(all) })
		}
	}
	for _, s := range singles() {
		release, err := vm.KernelRelease(s.kernel)
		if err != nil {
			return nil, err
		}
		if isSelected(s.test) {
			o := &outcome{ready: make(chan struct{})}
			all[release+" "+s.name] = o
			work = append(work, func() { s.run(filepath.Join(dir, release), o) })
		}
	}
	queue := make(chan func())
	for range sideBySide {
		go func() {
			for run := range queue {
				run()
			}
		}()
	}
	go func() {
		for _, run := range work {
			queue <- run
		}
		close(queue)
	}()
	return all, nil
})

// isSelected reports whether -run selects a test.
func isSelected(test string) bool {
	pattern, _, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	ok, err := regexp.MatchString(pattern, test)
	return ok || err != nil
}

// lineFor returns the command line with outPlace replaced by a path.
func (e *errand) lineFor(place string) []string {
	line := slices.Clone(e.line)
	if i := slices.Index(line, outPlace); i >= 0 {
		line[i] = place
	}
	return line
}

// resultPath returns where below a directory an errand leaves the files to be brought back.
func (e *errand) resultPath(dir string) string {
	if e.line[0] == "/dtrec" {
		return filepath.Join(dir, e.name+".pb")
	}
	return filepath.Join(dir, e.name)
}

// run boots the kernel for the errands. If that fails, each of them gets the error.
func (g *guest) run(all map[string]*outcome) {
	done, err := g.boot()
	for _, e := range g.list {
		o := all[g.release+" "+e.name]
		if came, ok := done[e.name]; ok {
			o.Stdout, o.Stderr, o.Code, o.trace = string(came.Stdout), string(came.Stderr), came.Code, e.resultPath(g.dir)
		} else if o.err = err; err == nil {
			o.err = fmt.Errorf("errand %s was not run", e.name)
		}
		close(o.ready)
	}
}

// errandResult is the guest's report of an errand's result. The output is bytes, as it need not be UTF-8.
type errandResult struct {
	Stdout, Stderr []byte
	Code           int
}

// boot boots the guest and returns the result of each errand.
func (g *guest) boot() (done map[string]errandResult, err error) {
	type order struct {
		Name string
		Line []string
		FS   string
		Race bool
	}
	var orders []order
	for _, e := range g.list {
		orders = append(orders, order{e.name, e.lineFor(e.resultPath("/out")), e.fs, e.race || !g.config.OneThread})
	}
	text, err := json.Marshal(orders)
	if err != nil {
		return nil, err
	}
	bin, _ := programs()
	file := g.dir + ".json"
	if err := errors.Join(os.MkdirAll(filepath.Dir(g.dir), 0o755), os.WriteFile(file, text, 0o644)); err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	c := g.config
	c.Kernel, c.Program, c.Args = g.kernel, filepath.Join(bin, "scene"), []string{"errands", "/errands.json", g.dir}
	c.Files = append(slices.Clone(c.Files), vm.File{Host: file, Guest: "/errands.json"})
	for _, name := range []string{"dtrec", "target", "random", "uses"} {
		c.Files = append(c.Files, vm.File{Host: filepath.Join(bin, name), Guest: "/" + name})
	}
	c.Outputs, c.Timeout, c.Stdout, c.Stderr = []string{g.dir}, guestLimit, io.Discard, &stderr
	code, err := vm.Run(context.Background(), c)
	if errors.Is(err, vm.ErrPanic) {
		// QEMU's TCG can run an instruction that another virtual CPU has just patched, and the int3 in
		// it makes the kernel panic. That happens once in many boots; a panic that is our fault happens
		// every time.
		fmt.Printf("%s: booted again: %v\n", g.release, err)
		tally.boots.Add(1)
		stderr.Reset()
		code, err = vm.Run(context.Background(), c)
	}
	tally.boots.Add(1)
	tally.scenes.Add(int64(len(g.list)))
	if err == nil && code != 0 {
		err = fmt.Errorf("exit %d", code)
	}
	if err != nil {
		return nil, fmt.Errorf("guest: %w\n%s", err, stderr.String())
	}
	if text, err = os.ReadFile(filepath.Join(g.dir, "done.json")); err != nil {
		return nil, err
	}
	fmt.Printf("%s:\n%s", g.release, stderr.String())
	return done, json.Unmarshal(text, &done)
}

// guestLimit is the time for all errands of a kernel, on a machine that is busy with other work.
const guestLimit = 45 * time.Minute

// runAlone runs the errand with dtrec vm, as a user would, but on one virtual CPU since the other
// guests have two.
func (e *errand) runAlone(kernel, dir string, o *outcome) {
	defer close(o.ready)
	bin, _ := programs()
	o.trace = e.resultPath(dir)
	if o.err = os.MkdirAll(dir, 0o755); o.err == nil {
		o.Stdout, o.Stderr, o.Code, o.err = dtrecVM(bin, kernel, append([]string{"--smp", "1"}, e.alone...), e.lineFor(o.trace)[1:]...)
	}
}

func dtrecVM(bin, kernel string, flags []string, args ...string) (stdout, stderr string, code int, err error) {
	tally.boots.Add(1)
	tally.scenes.Add(1)
	line := slices.Concat([]string{"vm", "--kernel", kernel}, flags, []string{"--"}, args)
	cmd := exec.Command(filepath.Join(bin, "dtrec"), line...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return "", "", 0, err
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode(), nil
}
