// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lossRun is a recording that lost something, and what happened meanwhile by another
// count.
type lossRun struct {
	Said   string
	Counts Counts
}

const lossDir = "/tmp/loss"

// loss records more than the ring buffer has room for, and more open calls than some
// kernels' return probes have room for.
func loss(dir string) any {
	check(os.MkdirAll(lossDir, 0o755))
	return map[string]lossRun{
		"flood":  flood(filepath.Join(dir, "flood.pb"), "fentry"),
		"kprobe": flood(filepath.Join(dir, "kprobe.pb"), "kprobe"),
		"missed": missed(filepath.Join(dir, "missed.pb")),
	}
}

// flood opens a few files, which the ring buffer holds whether or not it is emptied,
// and then as many as four tasks can.
func flood(trace, attach string) lossRun {
	const name = "flood"
	c := newCounter(name)
	r := record("--comm", name, "--buffer", "64K", "--attach", attach, "-o", trace)
	quiet := newActor("waiting")
	quiet.do("name", name)
	quiet.do("many", "miss", lossDir, attach+"-quiet", "12")
	quiet.do("name", "waiting")
	var tasks []*actor
	for i := range 4 {
		a := newActor("waiting")
		tasks = append(tasks, a)
		a.do("name", name)
		a.send("many", "miss", lossDir, fmt.Sprint(attach, "-flood", i, "-"), "1500")
	}
	for _, a := range tasks {
		_, err := a.answer()
		check(err)
		a.do("name", "waiting")
	}
	time.Sleep(200 * time.Millisecond) // for the buffer to be empty again; nothing depends on it
	quiet.do("name", name)
	quiet.do("many", "miss", lossDir, attach+"-after", "12")
	quiet.do("name", "waiting")
	said := r.end()
	return lossRun{said, c.stop()}
}

// missed has more tasks inside open at once than a return probe of some kernels can keep.
func missed(trace string) lossRun {
	const name, fifo, tasks = "blocked", lossDir + "/fifo", 1100
	check(unix.Mkfifo(fifo, 0o600))
	c := newCounter(name)
	r := record(few("--comm", name, "--attach", "kprobe", "-o", trace)...)
	b := newBlocked(name, fifo)
	b.block(tasks)
	b.release()
	said := r.end()
	return lossRun{said, c.stop()}
}
