// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// targetRun is one recording: the paths whose opens have to be in it, and those whose
// must not.
type targetRun struct {
	Want, Not []string
	Said      string
	Recorder  int // its process
	Counts    Counts
}

const targetDir = "/tmp/target"

// target records by each way of naming tasks.
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

// at is the path that someone opens.
func at(who string) string { return targetDir + "/" + who }

// byPID: a process and what it starts from then on.
func byPID(trace string) targetRun {
	a, b := newActor("one"), newActor("two")
	r := record(few("-p", fmt.Sprint(a.PID), "-o", trace)...)
	a.do("miss", at("pid-itself"))
	a.do("spawn", "miss", at("pid-child"))
	a.do("threads", at("pid-thread"), "1")
	b.do("miss", at("pid-other"))
	b.do("spawn", "miss", at("pid-others-child"))
	said := r.end()
	a.do("miss", at("pid-after"))
	a.exit()
	b.exit()
	return targetRun{Said: said, Want: []string{at("pid-itself"), at("pid-child"), at("pid-thread0")},
		Not: []string{at("pid-other"), at("pid-others-child"), at("pid-after")}}
}

// byComm: a task while it has the name.
func byComm(trace string) targetRun {
	a := newActor("before")
	r := record(few("--comm", "named", "-o", trace)...)
	a.do("miss", at("comm-before"))
	a.do("name", "named")
	a.do("miss", at("comm-named"))
	a.do("name", "named2")
	a.do("miss", at("comm-longer"))
	a.do("name", "name")
	a.do("miss", at("comm-shorter"))
	said := r.end()
	a.exit()
	return targetRun{Said: said, Want: []string{at("comm-named")},
		Not: []string{at("comm-before"), at("comm-longer"), at("comm-shorter")}}
}

// newGroup makes a cgroup and moves a process there.
func newGroup(dir string, pid int) {
	check(os.MkdirAll(dir, 0o755))
	check(os.WriteFile(dir+"/cgroup.procs", []byte(fmt.Sprint(pid)), 0))
}

// byCgroup: tasks in the cgroup and below it.
func byCgroup(trace string) targetRun {
	const group = "/sys/fs/cgroup/scene"
	a, b, c := newActor("in"), newActor("below"), newActor("outside")
	newGroup(group, a.PID)
	newGroup(group+"/below", b.PID)
	newGroup("/sys/fs/cgroup/scene2", c.PID)
	r := record(few("--cgroup", group, "-o", trace)...)
	a.do("miss", at("cgroup-in"))
	a.do("spawn", "miss", at("cgroup-child"))
	b.do("miss", at("cgroup-below"))
	c.do("miss", at("cgroup-outside"))
	newGroup(group, c.PID)
	c.do("miss", at("cgroup-joined"))
	said := r.end()
	for _, x := range []*actor{a, b, c} {
		x.exit()
	}
	return targetRun{Said: said, Want: []string{at("cgroup-in"), at("cgroup-child"), at("cgroup-below"), at("cgroup-joined")},
		Not: []string{at("cgroup-outside")}}
}

// together: whoever any of them names.
func together(trace string) targetRun {
	const group = "/sys/fs/cgroup/joined"
	a, b, c, d := newActor("first"), newActor("second"), newActor("third"), newActor("fourth")
	newGroup(group, c.PID)
	r := record(few("-p", fmt.Sprint(a.PID), "--comm", "second", "--cgroup", group, "-o", trace)...)
	a.do("miss", at("together-pid"))
	b.do("miss", at("together-comm"))
	c.do("miss", at("together-cgroup"))
	d.do("miss", at("together-none"))
	said := r.end()
	for _, x := range []*actor{a, b, c, d} {
		x.exit()
	}
	return targetRun{Said: said, Want: []string{at("together-pid"), at("together-comm"), at("together-cgroup")},
		Not: []string{at("together-none")}}
}

// byCommand: a command that starts processes and threads.
func byCommand(trace string) targetRun {
	other := newActor("other")
	r, a := recordActor("commanded", few("-o", trace)...)
	a.do("miss", at("command-itself"))
	a.do("spawn", "miss", at("command-child"))
	a.do("spawn", "spawn", "miss", at("command-grandchild"))
	a.do("threads", at("command-thread"), "8")
	other.do("miss", at("command-other"))
	check(a.told.Close())
	want := []string{at("command-itself"), at("command-child"), at("command-grandchild")}
	for i := range 8 {
		want = append(want, fmt.Sprint(at("command-thread"), i))
	}
	other.exit()
	return targetRun{Said: r.wait(), Want: want, Not: []string{at("command-other")}}
}

// byExec: a command that becomes another program.
func byExec(trace string) targetRun {
	r, a := recordActor("commanded", few("-o", trace)...)
	a.do("miss", at("exec-before"))
	a.send("exec", "miss", at("exec-after"))
	return targetRun{Said: r.wait(), Want: []string{at("exec-before"), at("exec-after")}}
}

// byDaemon: a command that leaves a process behind. The recording ends with the
// command, and what the daemon did until then is in it.
func byDaemon(trace string) targetRun {
	fifo := at("daemon-fifo")
	check(unix.Mkfifo(fifo, 0o600))
	r, a := recordActor("commanded", few("-o", trace)...)
	a.do("daemon", fifo, at("daemon-before"), at("daemon-after"))
	check(a.told.Close())
	said := r.wait()
	fd, err := unix.Open(fifo, unix.O_WRONLY, 0) // returns when the daemon has it open
	check(err)
	check(unix.Close(fd))
	return targetRun{Said: said, Want: []string{at("daemon-before")}, Not: []string{at("daemon-after")}}
}

// beside: a command, and a process and a name beside it, for as long as the command runs.
func beside(trace string) targetRun {
	a, b, c := newActor("process"), newActor("byname"), newActor("neither")
	r, cmd := recordActor("commanded", few("-p", fmt.Sprint(a.PID), "--comm", "byname", "-o", trace)...)
	a.do("miss", at("beside-pid"))
	b.do("miss", at("beside-comm"))
	c.do("miss", at("beside-neither"))
	cmd.do("miss", at("beside-command"))
	check(cmd.told.Close())
	said := r.wait()
	a.do("miss", at("beside-after"))
	for _, x := range []*actor{a, b, c} {
		x.exit()
	}
	return targetRun{Said: said, Want: []string{at("beside-pid"), at("beside-comm"), at("beside-command")},
		Not: []string{at("beside-neither"), at("beside-after")}}
}

// everything: four busy tasks, and whatever else runs, but not the recorder.
func everything(trace string) targetRun {
	var tasks []*actor
	for range 4 {
		tasks = append(tasks, newActor("idle"))
	}
	c := newCounter("busy")
	defer c.stop()
	r := record(few("-a", "-o", trace)...)
	for _, a := range tasks {
		a.do("name", "busy")
	}
	check(one("miss", at("all-not-busy"), nil))
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
	for _, a := range tasks {
		a.exit()
	}
	return targetRun{Said: said, Want: []string{at("all-not-busy"), at("all-0-00000"), at("all-3-00999")}, Recorder: r.cmd.Process.Pid, Counts: c.take()}
}

// inside: tasks that are inside open when the recording begins, and others that still
// are when it ends. They begin one after the other while the probes are being attached,
// so some are there between the attaching and the beginning, and their exits alone show.
// One gets another name while it is inside: its open is recorded to the end.
func inside(trace string) targetRun {
	for _, name := range []string{"inside-first", "inside-renamed", "inside-last"} {
		check(unix.Mkfifo(at(name), 0o600))
	}
	first, last := newBlocked("inside", at("inside-first")), newBlocked("inside", at("inside-last"))
	first.then = at("inside-out")
	r := startRecorder(few("--comm", "inside", "-o", trace)...)
	begun := make(chan bool)
	go func() { r.begun(); close(begun) }()
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
	renamed := newBlocked("inside", at("inside-renamed"))
	renamed.block(1)
	renamed.rename("outside")
	renamed.release()
	last.block(7)
	said := r.end()
	last.release()
	return targetRun{Said: said, Want: []string{at("inside-first"), at("inside-out"), at("inside-renamed"), at("inside-last")}}
}
