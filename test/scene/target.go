// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// targetRun is one recording, with the paths whose opens must be in it and those whose opens must not.
type targetRun struct {
	Want, Not []string
	Said      string
	Recorder  int // process id of the recorder
	Counts    Counts
}

const targetDir = "/tmp/target"

// openWanted has an actor open a path that must be in the recording. The words in before, such as spawn, say
// how the actor does it.
func (t *targetRun) openWanted(a *actor, name string, before ...string) {
	t.Want = append(t.Want, targetPath(name))
	a.do(append(before, "miss", targetPath(name))...)
}

// openUnwanted has an actor open a path that must not be in the recording.
func (t *targetRun) openUnwanted(a *actor, name string, before ...string) {
	t.Not = append(t.Not, targetPath(name))
	a.do(append(before, "miss", targetPath(name))...)
}

// target records with each way of selecting tasks.
func target(dir string) any {
	check(os.MkdirAll(targetDir, 0o755))
	runs := make(map[string]targetRun)
	for name, play := range map[string]func(string) targetRun{
		"pid": byPID, "comm": byComm, "cgroup": byCgroup, "together": together,
		"command": byCommand, "exec": byExec, "daemon": byDaemon, "beside": beside,
		"all": everything, "inside": inside,
	} {
		runs[name] = play(filepath.Join(dir, name+".pb"))
	}
	return runs
}

// targetPath returns the path for a name, unique to one open.
func targetPath(who string) string { return targetDir + "/" + who }

// byPID selects a process, and with it what the process starts from then on.
func byPID(trace string) (t targetRun) {
	a, b := newActor("one"), newActor("two")
	r := record(fewRolesArgs("-p", fmt.Sprint(a.PID), "-o", trace)...)
	t.openWanted(a, "pid-itself")
	t.openWanted(a, "pid-child", "spawn")
	a.do("threads", targetPath("pid-thread"), "1")
	t.Want = append(t.Want, targetPath("pid-thread0"))
	t.openUnwanted(b, "pid-other")
	t.openUnwanted(b, "pid-others-child", "spawn")
	t.Said = r.end()
	t.openUnwanted(a, "pid-after")
	exit(a, b)
	return t
}

// byComm selects tasks while they have the name.
func byComm(trace string) (t targetRun) {
	a := newActor("before")
	r := record(fewRolesArgs("--comm", "named", "-o", trace)...)
	t.openUnwanted(a, "comm-before")
	a.do("name", "named")
	t.openWanted(a, "comm-named")
	a.do("name", "named2")
	t.openUnwanted(a, "comm-longer")
	a.do("name", "name")
	t.openUnwanted(a, "comm-shorter")
	t.Said = r.end()
	exit(a)
	return t
}

// newGroup creates a cgroup and moves a process into it.
func newGroup(dir string, pid int) {
	check(os.MkdirAll(dir, 0o755))
	check(os.WriteFile(dir+"/cgroup.procs", []byte(fmt.Sprint(pid)), 0))
}

// byCgroup selects the tasks in a cgroup and below it.
func byCgroup(trace string) (t targetRun) {
	const group = "/sys/fs/cgroup/scene"
	a, b, c := newActor("in"), newActor("below"), newActor("outside")
	newGroup(group, a.PID)
	newGroup(group+"/below", b.PID)
	newGroup("/sys/fs/cgroup/scene2", c.PID)
	r := record(fewRolesArgs("--cgroup", group, "-o", trace)...)
	t.openWanted(a, "cgroup-in")
	t.openWanted(a, "cgroup-child", "spawn")
	t.openWanted(b, "cgroup-below")
	t.openUnwanted(c, "cgroup-outside")
	newGroup(group, c.PID)
	t.openWanted(c, "cgroup-joined")
	t.Said = r.end()
	exit(a, b, c)
	return t
}

// together selects tasks in three ways: a task that any of them selects is recorded.
func together(trace string) (t targetRun) {
	const group = "/sys/fs/cgroup/joined"
	a, b, c, d := newActor("first"), newActor("second"), newActor("third"), newActor("fourth")
	newGroup(group, c.PID)
	r := record(fewRolesArgs("-p", fmt.Sprint(a.PID), "--comm", "second", "--cgroup", group, "-o", trace)...)
	t.openWanted(a, "together-pid")
	t.openWanted(b, "together-comm")
	t.openWanted(c, "together-cgroup")
	t.openUnwanted(d, "together-none")
	t.Said = r.end()
	exit(a, b, c, d)
	return t
}

// byCommand records a command that starts processes and threads.
func byCommand(trace string) (t targetRun) {
	other := newActor("other")
	r, a := recordActor("commanded", fewRolesArgs("-o", trace)...)
	t.openWanted(a, "command-itself")
	t.openWanted(a, "command-child", "spawn")
	t.openWanted(a, "command-grandchild", "spawn", "spawn")
	a.do("threads", targetPath("command-thread"), "8")
	for i := range 8 {
		t.Want = append(t.Want, fmt.Sprint(targetPath("command-thread"), i))
	}
	t.openUnwanted(other, "command-other")
	check(a.stdin.Close())
	exit(other)
	t.Said = r.wait()
	return t
}

// byExec records a command that executes another program.
func byExec(trace string) (t targetRun) {
	r, a := recordActor("commanded", fewRolesArgs("-o", trace)...)
	t.openWanted(a, "exec-before")
	a.send("exec", "miss", targetPath("exec-after"))
	t.Want, t.Said = append(t.Want, targetPath("exec-after")), r.wait()
	return t
}

// byDaemon records a command that leaves a process behind. The recording ends with the command, and
// what the daemon did before is in it.
func byDaemon(trace string) targetRun {
	fifo := targetPath("daemon-fifo")
	check(unix.Mkfifo(fifo, 0o600))
	r, a := recordActor("commanded", fewRolesArgs("-o", trace)...)
	a.do("daemon", fifo, targetPath("daemon-before"), targetPath("daemon-after"))
	check(a.stdin.Close())
	said := r.wait()
	fd, err := unix.Open(fifo, unix.O_WRONLY, 0) // returns when the daemon has opened it too
	check(err)
	check(unix.Close(fd))
	return targetRun{Said: said, Want: []string{targetPath("daemon-before")}, Not: []string{targetPath("daemon-after")}}
}

// beside records a command, and beside it a process and a name, for as long as the command runs.
func beside(trace string) (t targetRun) {
	a, b, c := newActor("process"), newActor("byname"), newActor("neither")
	r, cmd := recordActor("commanded", fewRolesArgs("-p", fmt.Sprint(a.PID), "--comm", "byname", "-o", trace)...)
	t.openWanted(a, "beside-pid")
	t.openWanted(b, "beside-comm")
	t.openUnwanted(c, "beside-neither")
	t.openWanted(cmd, "beside-command")
	check(cmd.stdin.Close())
	t.Said = r.wait()
	t.openUnwanted(a, "beside-after")
	exit(a, b, c)
	return t
}

// everything records four busy tasks and whatever else runs, except the recorder.
func everything(trace string) targetRun {
	var tasks []*actor
	for range 4 {
		tasks = append(tasks, newActor("idle"))
	}
	c := newCounter("busy")
	defer c.stop()
	r := record(fewRolesArgs("-a", "-o", trace)...)
	for _, a := range tasks {
		a.do("name", "busy")
	}
	miss(targetPath("all-not-busy"))
	for i, a := range tasks {
		a.send("many", "miss", targetDir, fmt.Sprintf("all-%d-", i), "1000")
	}
	for _, a := range tasks {
		_, err := a.answer()
		check(err)
	}
	for _, a := range tasks {
		a.do("name", "idle")
	}
	said := r.end()
	exit(tasks...)
	return targetRun{Said: said, Want: []string{targetPath("all-not-busy"), targetPath("all-0-00000"), targetPath("all-3-00999")}, Recorder: r.cmd.Process.Pid, Counts: c.take()}
}

// inside records tasks that are already inside open when the recording begins, and others that are
// still inside when it ends. The first ones enter one by one while the probes are being attached, so
// some enter after a probe is attached but before the recording begins, and of those only the returns
// are recorded. One task is renamed while it is inside: its open is recorded to the end.
func inside(trace string) targetRun {
	for _, name := range []string{"inside-first", "inside-renamed", "inside-last"} {
		check(unix.Mkfifo(targetPath(name), 0o600))
	}
	first, last := newBlocked("inside", targetPath("inside-first")), newBlocked("inside", targetPath("inside-last"))
	first.then = targetPath("inside-out")
	r := startRecorder(fewRolesArgs("--comm", "inside", "-o", trace)...)
	begun := make(chan bool)
	go func() { r.waitBegun(); close(begun) }()
	for waiting := true; waiting; {
		first.block(1)
		select {
		case <-begun:
			waiting = false
		default:
		}
	}
	<-begun
	first.block(5)
	first.release()
	renamed := newBlocked("inside", targetPath("inside-renamed"))
	renamed.block(1)
	renamed.rename("outside")
	renamed.release()
	last.block(7)
	said := r.end()
	last.release()
	return targetRun{Said: said, Want: []string{targetPath("inside-first"), targetPath("inside-out"), targetPath("inside-renamed"), targetPath("inside-last")}}
}
