// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// actor is a process that obeys commands one at a time, on one thread.
type actor struct {
	PID   int
	cmd   *exec.Cmd
	stdin io.WriteCloser
	reply *bufio.Reader
}

// newActor starts an actor whose task has that name (comm).
func newActor(name string) *actor {
	cmd := itself()
	a := newConversation(cmd)
	check(cmd.Start())
	a.PID = cmd.Process.Pid
	a.do("name", name)
	return a
}

// newConversation returns an actor that talks to a command which is yet to be started.
func newConversation(cmd *exec.Cmd) *actor {
	stdin, err := cmd.StdinPipe()
	check(err)
	reply, err := cmd.StdoutPipe()
	check(err)
	return &actor{cmd: cmd, stdin: stdin, reply: bufio.NewReader(reply)}
}

// try sends a command, and returns its result or its error. Words must not contain spaces.
func (a *actor) try(words ...string) (string, error) {
	a.send(words...)
	return a.answer()
}

// do sends a command that must succeed, and returns its result.
func (a *actor) do(words ...string) string {
	got, err := a.try(words...)
	if err != nil {
		fail(fmt.Errorf("%s: %w", strings.Join(words, " "), err))
	}
	return got
}

func (a *actor) send(words ...string) {
	_, err := fmt.Fprintln(a.stdin, strings.Join(words, " "))
	check(err)
}

func (a *actor) answer() (string, error) {
	line, err := a.reply.ReadString('\n')
	check(err)
	what, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	if what != "ok" {
		return "", errors.New(text)
	}
	return text, nil
}

// exit ends the actors and waits for them.
func exit(actors ...*actor) {
	for _, a := range actors {
		check(a.stdin.Close())
		check(a.cmd.Wait())
	}
}

// die sends a command that the actor must not survive.
func (a *actor) die(words ...string) {
	a.send(words...)
	if line, err := a.reply.ReadString('\n'); err == nil {
		fail(fmt.Errorf("%s: lived on: %s", strings.Join(words, " "), line))
	}
	_ = a.cmd.Wait() // it was killed, as intended
}

// act is what an actor's process does: the one command in its arguments, or those that come on stdin.
func act(args []string) {
	p := &performer{}
	if len(args) > 0 {
		_, err := p.obey(args)
		check(err)
		return
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		got, err := p.obey(strings.Fields(in.Text()))
		if err != nil {
			fmt.Printf("err %v\n", err)
			continue
		}
		fmt.Printf("ok %s\n", got)
	}
}

// performer executes an actor's commands.
type performer struct {
	fds []int // kept open until "close"
}

// obey executes one command. It returns the error if a file cannot be opened or changed; other failures
// end the actor.
func (p *performer) obey(words []string) (string, error) {
	args := words[1:]
	switch words[0] {
	case "name":
		setName(args[0])
	case "pid":
		return strconv.Itoa(os.Getpid()), nil
	case "pin": // to one CPU
		var set unix.CPUSet
		set.Set(number(args[0]))
		check(unix.SchedSetaffinity(0, &set))
	case "grace": // wait until what was freed by RCU is free
		if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0); errno != 0 {
			fail(errno)
		}
	case "spawn": // run the rest of the line in a process of its own
		check(itself(args...).Run())
	case "exec": // run the rest of the line as another program
		check(unix.Exec("/proc/self/exe", append([]string{"scene", "actor"}, args...), os.Environ()))
	case "threads":
		threads(args[0], number(args[1]))
	case "daemon":
		daemon(args)
	case "linger": // what a daemon does: open one file, wait for the FIFO, open the other
		linger(args[0], args[1], args[2])
	case "hog":
		hog()
	case "many": // do one thing with each of so many files DIR/PREFIXnnnnn
		for i := range number(args[3]) {
			check(p.use(args[0], fmt.Sprintf("%s/%s%05d", args[1], args[2], i)))
		}
	case "clock": // open one missing file after the other until killed
		for i := 0; ; i++ {
			miss(fmt.Sprint(args[0], i))
			time.Sleep(time.Millisecond)
		}
	default:
		return "", p.use(words[0], args...)
	}
	return "", nil
}

// use does something to a file, or to those that are kept open.
func (p *performer) use(verb string, args ...string) error {
	switch verb {
	case "miss":
		miss(args[0])
		return nil
	case "open", "hold":
		fd, err := unix.Open(args[0], map[string]int{"open": unix.O_RDONLY, "hold": unix.O_RDONLY | unix.O_CREAT}[verb], 0o644)
		if err == nil {
			p.fds = append(p.fds, fd)
		}
		return err
	case "close":
		for _, fd := range p.fds {
			check(unix.Close(fd))
		}
		p.fds = nil
		return nil
	case "look", "create", "churn": // and close it at once
		passing(verb, args[0])
		return nil
	case "unlink":
		return unix.Unlink(args[0])
	case "rename":
		return unix.Rename(args[0], args[1])
	case "exchange":
		return unix.Renameat2(unix.AT_FDCWD, args[0], unix.AT_FDCWD, args[1], unix.RENAME_EXCHANGE)
	case "mount":
		return unix.Mount("scene", args[0], args[1], 0, "")
	case "umount":
		return unix.Unmount(args[0], 0)
	case "write": // a line of text into a file that exists
		return os.WriteFile(args[0], []byte(args[1]+"\n"), 0)
	}
	return fmt.Errorf("no command %q", verb)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	check(err)
	return n
}

// itself returns a command that runs this program as an actor which executes one command.
func itself(words ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", append([]string{"actor"}, words...)...)
	cmd.Stderr = os.Stderr
	return cmd
}
