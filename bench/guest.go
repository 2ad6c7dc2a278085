// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// recording is one run in the guest.
type recording struct {
	Name   string // of its files, without ending
	Tool   string // as in tools
	Dir    string // where it works
	Rounds int
	Procs  int
	Bring  bool // the file is read on the host
}

// result is what the guest saw of it. Times are nanoseconds of the guest's clock, which with icount are instructions.
type result struct {
	recording
	Work          workReport
	Spawned, Gone int64 // when the tool was started, and when it had ended
	ToolCPU       int64 // of the tool and all it started, but for the work
	Peak          int64 // the tool's largest resident set, KiB; an upper bound where AtMost
	AtMost        bool
	Bytes         int64             // of the file
	Hits          map[string]uint64 // by probe, as the kernel counts them: what the counter is for
	Missed        uint64            // hits that the kernel's kprobe events missed
	Said          string            // its stdout and stderr
	Failed        string
}

const (
	outDir      = "out" // brought back
	resultsFile = "results.json"
	planFile    = "plan.json"
	workFile    = "work.json"
	reportFile  = "report.json"
	ramDir      = "/ram"
)

// guest is the job: the recordings of the plan, one after the other.
func guest(plan string) error {
	var list []recording
	if err := readJSON(plan, &list); err != nil {
		return err
	}
	if err := os.MkdirAll(outDir, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(ramDir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", ramDir, "tmpfs", unix.MS_NOATIME, ""); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	var results []result
	for i, r := range list {
		done, err := r.run()
		if err != nil {
			done.Failed = err.Error()
		}
		fmt.Printf("%d of %d: %s, %s, %d rounds: %.1f s, %d bytes %s\n", i+1, len(list), r.Tool, r.Dir, r.Rounds,
			time.Duration(done.Gone-done.Spawned).Seconds(), done.Bytes, done.Failed)
		results = append(results, done)
	}
	return writeJSON(filepath.Join(outDir, resultsFile), results)
}

func (r recording) run() (result, error) {
	out := result{recording: r}
	t := toolNamed(r.Tool)
	if err := waitForNoPrograms(); err != nil {
		return out, err
	}
	if err := prepareWork(r.Dir); err != nil {
		return out, err
	}
	os.Remove(reportFile)
	if err := writeJSON(workFile, workPlan{Dir: r.Dir, Rounds: r.Rounds, Procs: r.Procs, Report: reportFile}); err != nil {
		return out, err
	}
	if err := defineEvents(); err != nil {
		return out, fmt.Errorf("kprobe events: %w", err)
	}
	if r.Tool == counter {
		if err := countHits(); err != nil {
			return out, err
		}
	}
	work := []string{workProgram, "work", workFile}
	file := filepath.Join(outDir, r.Name+"."+t.file)
	argv := work
	if t.argv != nil {
		argv = t.argv(file, r.Procs, work)
	}
	if err := out.start(t, argv, work); err != nil {
		return out, errors.Join(err, removeEvents())
	}
	var err error
	if out.Hits, out.Missed, err = profile(); err != nil {
		return out, err
	}
	if err := removeEvents(); err != nil {
		return out, err
	}
	if err := readJSON(reportFile, &out.Work); err != nil {
		return out, fmt.Errorf("the work said nothing: %w; %s", err, out.Said)
	}
	return out, out.weigh(t, file)
}

// waitForNoPrograms waits until the recorder before has nothing in the kernel any more, and is not measured with this one.
func waitForNoPrograms() error {
	for range 600 {
		_, err := ebpf.ProgramGetNextID(0)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("a minute after it ended the recorder before still has programs in the kernel")
}

// start runs the tool with the work to its end.
func (out *result) start(t tool, argv, work []string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), t.env...)
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	out.Spawned = now(unix.CLOCK_MONOTONIC)
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	said := bufio.NewReader(r)
	var text bytes.Buffer
	if t.ready != "" {
		if err := beside(cmd, said, &text, t.ready, work); err != nil {
			return err
		}
	}
	_, _ = io.Copy(&text, said) // until all its writers are gone
	err = cmd.Wait()
	out.Gone = now(unix.CLOCK_MONOTONIC)
	out.Said = text.String()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, out.Said)
	}
	out.account(cmd.ProcessState.SysUsage().(*syscall.Rusage))
	return nil
}

// beside does the work once the tool has said that it is ready, and then has the tool end.
func beside(cmd *exec.Cmd, said *bufio.Reader, text *bytes.Buffer, ready string, work []string) error {
	for {
		line, err := said.ReadString('\n')
		text.WriteString(line)
		if strings.HasPrefix(line, ready) {
			break
		}
		if err != nil {
			return fmt.Errorf("it never began: %s", text)
		}
	}
	one := exec.Command(work[0], work[1:]...)
	one.Stderr = os.Stderr
	if err := one.Run(); err != nil {
		return err
	}
	return cmd.Process.Signal(os.Interrupt)
}

// account keeps what the kernel says the tool used, the work among its children included.
func (out *result) account(usage *syscall.Rusage) {
	out.ToolCPU = usage.Utime.Nano() + usage.Stime.Nano()
	out.Peak = usage.Maxrss
}

// weigh completes the result from what the work and the file say.
func (out *result) weigh(t tool, file string) error {
	if t.program == "" {
		return nil
	}
	if t.ready == "" {
		out.ToolCPU -= out.Work.ProcessCPU
	}
	// A child's peak begins with that of whoever forked it, and takes in that of its own children.
	out.AtMost = out.Peak <= max(peak(), out.Work.Peak)
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	out.Bytes = info.Size()
	if !out.Bring {
		return os.Remove(file)
	}
	return nil
}
