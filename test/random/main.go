// SPDX-License-Identifier: Apache-2.0

// Random does random things to files, and writes down exactly what it did. The kernel tests record it,
// and compare the claims of the trace with its log.
//
//	random --seed N --ops N --free N
//
// One process hands out operations. Four recorded workers execute them, each on three threads and a
// fourth in a chroot; so does a worker outside the process tree, which is not recorded. First they
// execute operations one after the other. Then all workers work at once, each below a directory of its
// own and in one directory that all share. Stdout is a gzip of JSON lines, one op each.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

const (
	workers    = 4               // workers that are recorded
	outsider   = workers         // index of the worker that is not recorded
	rendezvous = "@dtrec-random" // abstract socket where the workers find the coordinator, so that no file is involved
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "random:", err)
		os.Exit(99)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "work":
		return work(args[1])
	case len(args) > 0 && args[0] == "-q": // as the kernel calls modprobe
		return detach()
	}
	flags := flag.NewFlagSet("random", flag.ContinueOnError)
	seed := flags.Uint64("seed", 1, "decides what is done")
	ops := flags.Int("ops", 1000, "operations one after the other")
	free := flags.Int("free", 100, "operations of each worker on its own")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c := &coordinator{out: gzip.NewWriter(os.Stdout), rng: rand.New(rand.NewPCG(*seed, 0))}
	if err := c.start(); err != nil {
		return err
	}
	if err := c.inTurn(*ops); err != nil {
		return err
	}
	if err := c.atOnce(*seed, *free); err != nil {
		return err
	}
	return c.out.Close()
}

// coordinator hands out operations to the workers and writes the log.
type coordinator struct {
	out   *gzip.Writer
	rng   *rand.Rand
	seq   int
	peers [workers + 1]*peer
}

// peer is a worker as the coordinator sees it.
type peer struct {
	conn net.Conn
	in   *json.Decoder
	out  *json.Encoder
}

func (c *coordinator) start() error {
	l, err := net.Listen("unix", rendezvous)
	if err != nil {
		return err
	}
	defer l.Close()
	for i := range workers {
		cmd := exec.Command("/proc/self/exe", "work", strconv.Itoa(i))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
	}
	if err := callKernel(); err != nil {
		return err
	}
	for range workers + 1 {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		p := &peer{conn, json.NewDecoder(bufio.NewReader(conn)), json.NewEncoder(conn)}
		var index int
		if err := p.in.Decode(&index); err != nil {
			return err
		}
		c.peers[index] = p
	}
	return nil
}

// callKernel makes the kernel start this program as its modprobe, in a process that is no descendant of
// a recorded one.
func callKernel() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/kernel/modprobe", []byte(self), 0o644); err != nil {
		return err
	}
	const noSuchFamily = 19 // Econet, which was removed: the kernel asks for a module
	if fd, err := syscall.Socket(noSuchFamily, syscall.SOCK_STREAM, 0); err == nil {
		syscall.Close(fd)
		return fmt.Errorf("address family %d is there", noSuchFamily)
	}
	return nil
}

// detach starts the outsider and returns, since the kernel waits for its modprobe.
func detach() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return exec.Command(self, "work", strconv.Itoa(outsider)).Start()
}

// do hands one operation to a worker, waits for it, and logs what it did.
func (c *coordinator) do(r request) (op, error) {
	p := c.peers[r.Worker]
	if err := p.out.Encode(r); err != nil {
		return op{}, err
	}
	var done op
	if err := p.in.Decode(&done); err != nil {
		return op{}, fmt.Errorf("worker %d: %w", r.Worker, err)
	}
	return done, c.write(done)
}

func (c *coordinator) write(o op) error {
	c.seq++
	o.Seq = c.seq
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(line, '\n'))
	return err
}

// inTurn does n operations one after the other, each on a random worker.
func (c *coordinator) inTurn(n int) error {
	g := newGenerator(c.rng, "/tmp/r")
	begin := []request{{Call: "mkdir", Path: g.base}}
	for i := range workers + 1 {
		begin = append(begin, g.settle(i)...)
	}
	for i := range n + len(begin) {
		var r request
		if i < len(begin) {
			r = begin[i]
		} else {
			r = g.next(c.rng.IntN(workers + 1))
		}
		done, err := c.do(r)
		if err != nil {
			return err
		}
		g.learn(done)
	}
	return nil
}

// atOnce lets every worker do n operations of its own choice, all at the same time.
func (c *coordinator) atOnce(seed uint64, n int) error {
	if _, err := c.do(request{Call: "mkdir", Path: shared}); err != nil {
		return err
	}
	for i, p := range c.peers {
		if err := p.out.Encode(request{Call: "free", Worker: i, Seed: seed, Ops: n}); err != nil {
			return err
		}
	}
	for i, p := range c.peers {
		for {
			var done op
			if err := p.in.Decode(&done); err != nil {
				return fmt.Errorf("worker %d: %w", i, err)
			}
			if done.Call == "free" {
				break
			}
			if err := c.write(done); err != nil {
				return err
			}
		}
	}
	return nil
}
