// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// recordingRun is what recorders left on the machine, and how they reacted to what was done to them.
type recordingRun struct {
	Capabilities []string // of each thread of a recorder while it records
	Descriptors  int      // open file descriptors of that recorder
	Refused      int      // how many of the switches in unhookings this kernel does not let us turn off
	Touched      uint64   // when the first switch had been rewritten with its own value for a while; CLOCK_BOOTTIME, ns
	Untouched    string   // why that switch could not be turned off then; empty: it could

	Killed uint64              // when a recorder was killed; CLOCK_BOOTTIME, ns
	Events map[string][]string // dtrec's events in tracefs, by moment
	Doctor string              // what doctor printed while the events of a killed recorder were left

	Full, Closed, Watch exitRun // no room for the file; no reader of the pipe; a larger watch set than the kernel allows
	Sudo                sudoRun

	Attached int // BPF programs still in the kernel a while after the last recorder's end
}

// sudoRun is a recording for the user who called sudo, ended by SIGTERM.
type sudoRun struct {
	Capabilities []string
	Owner        uint32 // uid of the file
	User         string // uids of the command, as in its /proc status
	Code         int
}

// exitRun is how a recording ended.
type exitRun struct {
	Code int
	Said string
}

const recordingDir = "/tmp/recording"

// recording runs recorders that record, are killed, and are refused.
func recording(dir string) any {
	check(os.MkdirAll(recordingDir, 0o755))
	result := recordingRun{Events: map[string][]string{}}
	for _, how := range []string{"fentry", "kprobe"} {
		deeds(filepath.Join(dir, how+".pb"), how)
	}
	touched(filepath.Join(dir, "touched.pb"), &result)
	result.Killed = killed(filepath.Join(dir, "killed.pb"), &result)
	busyTasks(filepath.Join(dir, "busy.pb"))
	quit(filepath.Join(dir, "quit.pb"), &result)
	result.Full = full()
	result.Closed = closed()
	result.Watch = runToExit(exec.Command("/dtrec", "record", "--watch", "4294967295", "-o", recordingDir+"/watch.pb", "-a"))
	result.Sudo = sudo(filepath.Join(recordingDir, "sudo.pb"))
	result.Attached = attachedPrograms()
	return result
}

// attachedPrograms waits up to a minute until the programs of the last recorder are gone, since its
// process does not wait for that. It returns how many BPF programs are left.
func attachedPrograms() (n int) {
	for range 600 {
		n = 0
		for id := ebpf.ProgramID(0); ; n++ {
			var err error
			if id, err = ebpf.ProgramGetNextID(id); errors.Is(err, os.ErrNotExist) {
				break
			}
			check(err)
		}
		if n == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return n
}

// deeds does one thing of each kind whose kernel function is probed at its return.
func deeds(trace, how string) {
	_, a := recordActor("deeds", fewRolesArgs("--only", "delete,move,unlink,evict", "--attach", how, "-o", trace)...)
	at := func(name string) string { return filepath.Join(recordingDir, how+name) }
	a.do("many", "create", recordingDir, how, "2")
	a.do("exchange", at("00000"), at("00001"))
	a.do("rename", at("00000"), at("moved"))
	a.do("unlink", at("moved")) // nobody has it open: its dentry stays, as a negative one
	a.do("open", at("00001"))
	a.do("unlink", at("00001")) // it is open: its dentry is dropped from the hash table
	a.do("close")
	a.do("miss", at("missing"))
	exit(a)
}

// killed kills a recorder while it works, beside another one that stays. It returns the time of that,
// CLOCK_BOOTTIME in ns.
func killed(trace string, result *recordingRun) uint64 {
	other := record(fewRolesArgs("--comm", "nobody", "--attach", "kprobe", "-o", trace+".other")...)
	r := record(fewRolesArgs("--comm", "clock", "--attach", "kprobe", "-o", trace)...)
	a := newActor("clock")
	a.send("clock", recordingDir+"/tick")
	time.Sleep(time.Second)
	now := boottime()
	check(r.cmd.Process.Kill())
	_ = r.cmd.Wait() // killed
	check(a.cmd.Process.Kill())
	_ = a.cmd.Wait()
	result.Events["killed"] = tracefsEvents()
	said, _ := exec.Command("/dtrec", "doctor").CombinedOutput() // its exit status is about gaps, and not checked here
	result.Doctor = string(said)
	next := record(fewRolesArgs("--comm", "nobody", "--attach", "kprobe", "-o", trace+".next")...)
	result.Events["next"] = tracefsEvents()
	next.end()
	result.Events["other"] = tracefsEvents()
	other.end()
	result.Events["end"] = tracefsEvents()
	return now
}

// boottime returns the time since boot in nanoseconds.
func boottime() uint64 {
	var now unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_BOOTTIME, &now))
	return uint64(now.Nano())
}

// tracefsEvents returns the kprobe events in tracefs that recorders have made.
func tracefsEvents() []string {
	events := []string{}
	text, err := os.ReadFile("/sys/kernel/tracing/kprobe_events")
	check(err)
	for _, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, "dtrec") {
			events = append(events, line)
		}
	}
	return events
}

// busyTasks records more tasks than the machine has CPUs, all working in the same directory.
func busyTasks(trace string) {
	const name, tasks = "busy", 4
	r := record(fewRolesArgs("--comm", name, "--buffer", "64M", "-o", trace)...)
	var all []*actor
	for i := range tasks {
		a := newActor(name)
		all = append(all, a)
		a.send("many", "churn", recordingDir, fmt.Sprint("busy", i, "-"), "500")
	}
	for _, a := range all {
		_, err := a.answer()
		check(err)
		a.do("spawn", "miss", recordingDir+"/spawned")
		exit(a)
	}
	r.end()
}

// unhookings are the switches that turn off all hooks in kernel functions.
var unhookings = []string{"/proc/sys/kernel/ftrace_enabled", "/sys/kernel/debug/kprobes/enabled"}

// unhooked opens files while hooks are off, and as many after they are on again, for each of the
// switches.
func unhooked(result *recordingRun) {
	a := newActor("waiting")
	defer exit(a)
	a.do("name", "unhooked")
	_ = os.MkdirAll("/sys/kernel/debug", 0o755)
	_ = unix.Mount("scene", "/sys/kernel/debug", "debugfs", 0, "") // it may be mounted already
	for i, file := range unhookings {
		if err := os.WriteFile(file, []byte("0"), 0); err != nil {
			result.Refused++
			continue
		}
		a.do("many", "miss", recordingDir, fmt.Sprint("off", i), "20")
		check(os.WriteFile(file, []byte("1"), 0))
		a.do("many", "miss", recordingDir, fmt.Sprint("on", i), "20")
	}
}

// touched repeatedly writes to the ftrace switch the value that it has, as trace-cmd does, between
// opens. Then it turns the switch off and on.
func touched(trace string, result *recordingRun) {
	r := record(fewRolesArgs("--comm", "touched", "-o", trace)...)
	a := newActor("touched")
	for i := range 20 {
		check(os.WriteFile(unhookings[0], []byte("1"), 0))
		a.do("miss", fmt.Sprint(recordingDir, "/touched", i))
	}
	time.Sleep(200 * time.Millisecond) // so that the recorder checks the switch a few times
	result.Touched = boottime()
	if err := os.WriteFile(unhookings[0], []byte("0"), 0); err != nil {
		result.Untouched = err.Error()
	} else {
		check(os.WriteFile(unhookings[0], []byte("1"), 0))
	}
	r.end()
	exit(a)
}

// quit examines a recorder that records, and ends it with SIGQUIT.
func quit(trace string, result *recordingRun) {
	r := record(fewRolesArgs("--comm", "unhooked", "--attach", "kprobe", "-o", trace)...)
	unhooked(result)
	result.Capabilities = capabilities(r.cmd.Process.Pid)
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.cmd.Process.Pid))
	check(err)
	result.Descriptors = len(fds)
	check(r.cmd.Process.Signal(unix.SIGQUIT))
	r.wait()
}

// capabilities returns the permitted and effective capabilities of each thread of a process.
func capabilities(pid int) (caps []string) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	check(err)
	for _, file := range threads {
		status, err := os.ReadFile(file)
		if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
			continue // the thread has ended
		}
		check(err)
		_, of, _ := strings.Cut(string(status), "CapPrm:")
		of, _, _ = strings.Cut(of, "CapBnd:")
		caps = append(caps, strings.Join(strings.Fields(of), " "))
	}
	return caps
}

// sudo records a command for another user. That user may not signal root's processes, and root without
// capabilities may not signal the user's.
func sudo(trace string) sudoRun {
	self, err := os.Executable()
	check(err)
	r := newRecorder(fewRolesArgs("-o", trace, "--", self, "actor")...)
	r.cmd.Env = append(os.Environ(), "SUDO_UID=65534", "SUDO_GID=65534")
	a := newConversation(r.cmd)
	check(r.cmd.Start())
	a.do("name", "nobody")
	run := sudoRun{Capabilities: capabilities(r.cmd.Process.Pid)}
	var stat unix.Stat_t
	check(unix.Stat(trace, &stat))
	run.Owner = stat.Uid
	status, err := os.ReadFile("/proc/" + a.do("pid") + "/status")
	check(err)
	_, uids, _ := strings.Cut(string(status), "\nUid:\t")
	run.User, _, _ = strings.Cut(uids, "\n")
	check(r.cmd.Process.Signal(unix.SIGTERM))
	_ = r.cmd.Wait() // its exit status is the command's
	run.Code = r.cmd.ProcessState.ExitCode()
	return run
}

// full records to a filesystem without free space.
func full() exitRun {
	const dir = recordingDir + "/full"
	check(os.MkdirAll(dir, 0o755))
	check(unix.Mount("scene", dir, "tmpfs", 0, "size=4k"))
	check(os.WriteFile(dir+"/filler", make([]byte, 4096), 0o600))
	run := runToExit(exec.Command("/dtrec", "record", "--only", "open", "-o", dir+"/full.pb", "--", "/dtrec", "workload"))
	check(unix.Unmount(dir, 0))
	return run
}

// closed records to a pipe without a reader.
func closed() exitRun {
	reader, writer, err := os.Pipe()
	check(err)
	check(reader.Close())
	cmd := exec.Command("/dtrec", "record", "--only", "open", "-o", "-", "--", "/dtrec", "workload")
	cmd.Stdout = writer
	defer writer.Close()
	return runToExit(cmd)
}

func runToExit(cmd *exec.Cmd) exitRun {
	var said strings.Builder
	cmd.Stderr = &said
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		fail(err)
	}
	return exitRun{cmd.ProcessState.ExitCode(), said.String()}
}
