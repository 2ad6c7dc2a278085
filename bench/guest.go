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

// recording describes one recording to be made in the guest. Its file is brought to the host if there is work in it.
type recording struct {
	Name string // name of its files, without extension
	Tool string // name of a row of tools
	workPlan
}

// onTmpfs is a recording of one process's work on tmpfs.
func onTmpfs(name, tool string, rounds int) recording {
	return recording{name, tool, workPlan{Dir: places[1].dir, Rounds: rounds, Procs: 1}}
}

// result is what the guest measured of a recording. Times are nanoseconds of the guest's clock; with icount a
// nanosecond is an instruction.
type result struct {
	recording
	Work          workReport
	Spawned, Gone int64 // when the tool was started, and when it had ended
	ToolCPU       int64 // of the tool and all processes it started, except the work
	Peak          int64 // the tool's largest resident set, KiB; an upper bound if AtMost is set
	AtMost        bool
	Bytes         int64             // size of the file
	Hits          map[string]uint64 // for each probe, as the kernel counts them; only the counter needs it
	Missed        uint64            // hits that the kernel's kprobe events missed
	Said          string            // stdout and stderr of the tool
	Failed        string
}

const (
	outDir      = "out" // brought back to the host
	resultsFile = "results.json"
	planFile    = "plan.json"
	workFile    = "work.json"
	reportFile  = "report.json"
	ramDir      = "/ram"
)

// guest is the job in the guest: it makes the recordings of the plan, one after the other.
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
	r.Report = reportFile
	if err := writeJSON(workFile, r.workPlan); err != nil {
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
	if err := out.start(t, t.argv(file, r.Procs, work), work); err != nil {
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
	return out, out.complete(t, file)
}

// waitForNoPrograms waits until the previous recorder has no more BPF programs in the kernel, so that it is
// not measured with the next one.
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

// start runs the tool together with the work, until the tool ends.
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
		if err := runBeside(cmd, said, &text, t.ready, work); err != nil {
			return err
		}
	}
	_, _ = io.Copy(&text, said) // until all writers have closed it
	err = cmd.Wait()
	out.Gone = now(unix.CLOCK_MONOTONIC)
	out.Said = text.String()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, out.Said)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage) // including the work, if it is a child of the tool
	out.ToolCPU, out.Peak = usage.Utime.Nano()+usage.Stime.Nano(), usage.Maxrss
	return nil
}

// runBeside runs the work once the tool has said that it is ready, and then interrupts the tool.
func runBeside(cmd *exec.Cmd, said *bufio.Reader, text *bytes.Buffer, ready string, work []string) error {
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

// complete completes the result with what the work reported and the size of the file.
func (out *result) complete(t tool, file string) error {
	if t.program == "" {
		return nil
	}
	if t.ready == "" {
		out.ToolCPU -= out.Work.ProcessCPU
	}
	// A child's peak starts at that of the process that forked it, and includes those of its own children.
	out.AtMost = out.Peak <= max(peak(), out.Work.Peak)
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	out.Bytes = info.Size()
	if out.Rounds == 0 {
		return os.Remove(file)
	}
	return nil
}
