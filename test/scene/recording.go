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

// recordingRun is what recorders did to the machine, and what was done to them.
type recordingRun struct {
	Capabilities []string // of each thread of a recorder that records
	Descriptors  int      // it has open
	Refused      int      // switches of hooks that this kernel does not let go off, of unhookings
	Touched      uint64   // when the first of them had been written what it held for a while, CLOCK_BOOTTIME
	Untouched    string   // why it could not be put off then

	Killed uint64              // when one was killed, CLOCK_BOOTTIME
	Events map[string][]string // in tracefs, by moment
	Doctor string              // what it said while those of a killed recorder were left

	Full, Closed, Watch exitRun // no room in the file; nobody at the other end of the pipe; more than the kernel gives
	Sudo                sudoRun

	Attached int // programs still in the kernel a while after the last recorder's end
}

// sudoRun is a recording for who called sudo, ended by SIGTERM.
type sudoRun struct {
	Capabilities []string
	Owner        uint32 // of the file
	User         string // of the command, as its status has it
	Code         int
}

// exitRun is how a recording ended.
type exitRun struct {
	Code int
	Said string
}

const recordingDir = "/tmp/recording"

// recording has recorders record, killed and refused.
func recording(dir string) any {
	check(os.MkdirAll(recordingDir, 0o755))
	told := recordingRun{Events: map[string][]string{}}
	for _, how := range []string{"fentry", "kprobe"} {
		deeds(filepath.Join(dir, how+".pb"), how)
	}
	touched(filepath.Join(dir, "touched.pb"), &told)
	told.Killed = killed(filepath.Join(dir, "killed.pb"), &told)
	busyTasks(filepath.Join(dir, "busy.pb"))
	quit(filepath.Join(dir, "quit.pb"), &told)
	told.Full = full()
	told.Closed = closed()
	told.Watch = ended(exec.Command("/dtrec", "record", "--watch", "4294967295", "-o", recordingDir+"/watch.pb", "-a"))
	told.Sudo = sudo(filepath.Join(recordingDir, "sudo.pb"))
	told.Attached = attachedPrograms()
	return told
}

// attachedPrograms waits until the last recorder's programs are gone, whose process was not to wait for that; and
// returns how many stay.
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

// deeds does what has an exit, one thing of each kind.
func deeds(trace, how string) {
	_, a := recordActor("deeds", few("--only", "delete,move,unlink,evict", "--attach", how, "-o", trace)...)
	at := func(name string) string { return filepath.Join(recordingDir, how+name) }
	a.do("many", "create", recordingDir, how, "2")
	a.do("exchange", at("00000"), at("00001"))
	a.do("rename", at("00000"), at("moved"))
	a.do("unlink", at("moved")) // nobody holds it: its dentry stays, without inode
	a.do("open", at("00001"))
	a.do("unlink", at("00001")) // held open: its dentry leaves the hash table
	a.do("close")
	a.do("miss", at("missing"))
	exit(a)
}

// killed kills a recorder in the middle of its work, beside another one that stays.
func killed(trace string, told *recordingRun) uint64 {
	other := record(few("--comm", "nobody", "--attach", "kprobe", "-o", trace+".other")...)
	r := record(few("--comm", "clock", "--attach", "kprobe", "-o", trace)...)
	a := newActor("clock")
	a.send("clock", recordingDir+"/tick")
	time.Sleep(time.Second)
	now := boottime()
	check(r.cmd.Process.Kill())
	_ = r.cmd.Wait() // killed
	check(a.cmd.Process.Kill())
	_ = a.cmd.Wait()
	told.Events["killed"] = tracefsEvents()
	said, _ := exec.Command("/dtrec", "doctor").CombinedOutput() // its status is about gaps
	told.Doctor = string(said)
	next := record(few("--comm", "nobody", "--attach", "kprobe", "-o", trace+".next")...)
	told.Events["next"] = tracefsEvents()
	next.end()
	told.Events["other"] = tracefsEvents()
	other.end()
	told.Events["end"] = tracefsEvents()
	return now
}

// boottime is the time since boot, nanoseconds.
func boottime() uint64 {
	var now unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_BOOTTIME, &now))
	return uint64(now.Nano())
}

// tracefsEvents are those that recorders have made.
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

// busyTasks are more than the machine has cpus, and in each other's way.
func busyTasks(trace string) {
	const name, tasks = "busy", 4
	r := record(few("--comm", name, "--buffer", "64M", "-o", trace)...)
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

// unhookings are the switches by which all hooks in kernel functions go off.
var unhookings = []string{"/proc/sys/kernel/ftrace_enabled", "/sys/kernel/debug/kprobes/enabled"}

// unhooked opens files, and as many while hooks are off, by each switch for itself, and for a moment only.
func unhooked(told *recordingRun) {
	a := newActor("waiting")
	defer exit(a)
	a.do("name", "unhooked")
	_ = os.MkdirAll("/sys/kernel/debug", 0o755)
	_ = unix.Mount("scene", "/sys/kernel/debug", "debugfs", 0, "") // it may be mounted
	for i, file := range unhookings {
		if err := os.WriteFile(file, []byte("0"), 0); err != nil {
			told.Refused++
			continue
		}
		a.do("many", "miss", recordingDir, fmt.Sprint("off", i), "20")
		check(os.WriteFile(file, []byte("1"), 0))
		a.do("many", "miss", recordingDir, fmt.Sprint("on", i), "20")
	}
}

// touched writes to the switch of ftrace what it holds, as trace-cmd does, beside opens; and then has it go off and on.
func touched(trace string, told *recordingRun) {
	r := record(few("--comm", "touched", "-o", trace)...)
	a := newActor("touched")
	for i := range 20 {
		check(os.WriteFile(unhookings[0], []byte("1"), 0))
		a.do("miss", fmt.Sprint(recordingDir, "/touched", i))
	}
	time.Sleep(200 * time.Millisecond) // some looks of the recorder
	told.Touched = boottime()
	if err := os.WriteFile(unhookings[0], []byte("0"), 0); err != nil {
		told.Untouched = err.Error()
	} else {
		check(os.WriteFile(unhookings[0], []byte("1"), 0))
	}
	r.end()
	exit(a)
}

// quit looks at a recorder that records, and ends it by SIGQUIT.
func quit(trace string, told *recordingRun) {
	r := record(few("--comm", "unhooked", "--attach", "kprobe", "-o", trace)...)
	unhooked(told)
	told.Capabilities = capabilities(r.cmd.Process.Pid)
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.cmd.Process.Pid))
	check(err)
	told.Descriptors = len(fds)
	check(r.cmd.Process.Signal(unix.SIGQUIT))
	r.wait()
}

// capabilities are those of each thread, permitted and effective.
func capabilities(pid int) (caps []string) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	check(err)
	for _, file := range threads {
		status, err := os.ReadFile(file)
		if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
			continue // it has ended
		}
		check(err)
		_, of, _ := strings.Cut(string(status), "CapPrm:")
		of, _, _ = strings.Cut(of, "CapBnd:")
		caps = append(caps, strings.Join(strings.Fields(of), " "))
	}
	return caps
}

// sudo records a command for another user, who has no right to signal root's processes, nor
// root without capabilities the user's.
func sudo(trace string) sudoRun {
	self, err := os.Executable()
	check(err)
	r := newRecorder(few("-o", trace, "--", self, "actor")...)
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
	_ = r.cmd.Wait() // its status is the command's
	run.Code = r.cmd.ProcessState.ExitCode()
	return run
}

// full records into a filesystem that has no room.
func full() exitRun {
	const dir = recordingDir + "/full"
	check(os.MkdirAll(dir, 0o755))
	check(unix.Mount("scene", dir, "tmpfs", 0, "size=4k"))
	check(os.WriteFile(dir+"/filler", make([]byte, 4096), 0o600))
	run := ended(exec.Command("/dtrec", "record", "--only", "open", "-o", dir+"/full.pb", "--", "/dtrec", "workload"))
	check(unix.Unmount(dir, 0))
	return run
}

// closed records into a pipe that nobody reads.
func closed() exitRun {
	reader, writer, err := os.Pipe()
	check(err)
	check(reader.Close())
	cmd := exec.Command("/dtrec", "record", "--only", "open", "-o", "-", "--", "/dtrec", "workload")
	cmd.Stdout = writer
	defer writer.Close()
	return ended(cmd)
}

func ended(cmd *exec.Cmd) exitRun {
	var said strings.Builder
	cmd.Stderr = &said
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		fail(err)
	}
	return exitRun{cmd.ProcessState.ExitCode(), said.String()}
}
