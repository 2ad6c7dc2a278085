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

// lossRun is a recording that lost events, with what happened meanwhile by an independent count.
type lossRun struct {
	Said   string
	Counts Counts
}

const (
	lossDir  = "/tmp/loss"
	lossName = "flood" // name of the recorded tasks
)

// loss records more events than the ring buffer has room for, and more open calls at a time than the
// return probes of some kernels have room for.
func loss(dir string) any {
	check(os.MkdirAll(lossDir, 0o755))
	c := newCounter(lossName)
	defer c.stop()
	return map[string]lossRun{
		"flood":  flood(c, filepath.Join(dir, "flood.pb"), "fentry"),
		"kprobe": flood(c, filepath.Join(dir, "kprobe.pb"), "kprobe"),
		"missed": missed(c, filepath.Join(dir, "missed.pb")),
	}
}

// rebuiltRun is a recording during which another recorder attached to the same functions and detached.
type rebuiltRun struct{ Opens int }

// rebuilt has a task open files without pause while another recorder attaches to the recorded functions
// and detaches.
func rebuilt(dir string) any {
	check(os.MkdirAll(lossDir, 0o755))
	r := record(fewRolesArgs("--comm", lossName, "-o", filepath.Join(dir, "rebuilt.pb"))...)
	a := newActor("waiting")
	a.do("name", lossName)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		record(fewRolesArgs("--comm", "nobody", "-o", lossDir+"/other.pb")...).end()
	}()
	const batch = 200
	result := rebuiltRun{}
	for going := true; going; result.Opens += batch {
		a.do("many", "churn", "/dev/shm", fmt.Sprint("rebuilt", result.Opens, "-"), fmt.Sprint(batch))
		select {
		case <-gone:
			going = false
		default:
		}
	}
	a.do("name", "waiting")
	r.end()
	return result
}

// flood opens a few files, which fit into the ring buffer even if nobody reads it, and then as many as
// four tasks can.
func flood(c *counter, trace, attach string) lossRun {
	r := record("--only", lifeRoles, "--comm", lossName, "--buffer", "64K", "--attach", attach, "-o", trace)
	quiet := newActor("waiting")
	quiet.do("name", lossName)
	quiet.do("many", "miss", lossDir, attach+"-quiet", "12")
	quiet.do("name", "waiting")
	var tasks []*actor
	for i := range 4 {
		a := newActor("waiting")
		tasks = append(tasks, a)
		a.do("name", lossName)
		a.send("many", "miss", lossDir, fmt.Sprint(attach, "-flood", i, "-"), "1500")
	}
	for _, a := range tasks {
		_, err := a.answer()
		check(err)
		a.do("name", "waiting")
	}
	time.Sleep(200 * time.Millisecond) // lets the buffer drain; no result depends on it
	quiet.do("name", lossName)
	quiet.do("many", "miss", lossDir, attach+"-after", "12")
	quiet.do("name", "waiting")
	said := r.end()
	return lossRun{said, c.take()}
}

// missed has more tasks inside open at once than a return probe of some kernels can track.
func missed(c *counter, trace string) lossRun {
	const fifo, tasks = lossDir + "/fifo", 1100
	check(unix.Mkfifo(fifo, 0o600))
	r := record(fewRolesArgs("--comm", lossName, "--attach", "kprobe", "-o", trace)...)
	b := newBlocked(lossName, fifo)
	b.block(tasks)
	b.release()
	said := r.end()
	return lossRun{said, c.take()}
}
