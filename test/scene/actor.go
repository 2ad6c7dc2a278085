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

// actor is a process that does what it is told, a command at a time, on one thread.
type actor struct {
	PID   int
	cmd   *exec.Cmd
	told  io.WriteCloser
	reply *bufio.Reader
}

// newActor starts a process of that name.
func newActor(name string) *actor {
	cmd := exec.Command("/proc/self/exe", "actor")
	cmd.Stderr = os.Stderr
	a := newConversation(cmd)
	check(cmd.Start())
	a.PID = cmd.Process.Pid
	a.do("name", name)
	return a
}

// newConversation is an actor behind a command that is yet to be started.
func newConversation(cmd *exec.Cmd) *actor {
	told, err := cmd.StdinPipe()
	check(err)
	reply, err := cmd.StdoutPipe()
	check(err)
	return &actor{cmd: cmd, told: told, reply: bufio.NewReader(reply)}
}

// try sends a command, and returns what it gave or why it failed. Words have no spaces.
func (a *actor) try(words ...string) (string, error) {
	a.send(words...)
	return a.answer()
}

// do is for commands that must succeed.
func (a *actor) do(words ...string) string {
	got, err := a.try(words...)
	if err != nil {
		fail(fmt.Errorf("%s: %w", strings.Join(words, " "), err))
	}
	return got
}

func (a *actor) send(words ...string) {
	_, err := fmt.Fprintln(a.told, strings.Join(words, " "))
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

// exit lets the actor come to its end.
func (a *actor) exit() {
	check(a.told.Close())
	check(a.cmd.Wait())
}

// die tells the actor something that it does not survive.
func (a *actor) die(words ...string) {
	a.send(words...)
	if line, err := a.reply.ReadString('\n'); err == nil {
		fail(fmt.Errorf("%s: lived on: %s", strings.Join(words, " "), line))
	}
	_ = a.cmd.Wait() // its end is no failure
}

// act is an actor's life: what its arguments say, or what it is told.
func act(args []string) {
	if len(args) > 0 {
		if _, err := obey(args, new([]int)); err != nil && !errors.Is(err, unix.ENOENT) {
			fail(err)
		}
		return
	}
	in := bufio.NewScanner(os.Stdin)
	var fds []int
	for in.Scan() {
		got, err := obey(strings.Fields(in.Text()), &fds)
		if err != nil {
			fmt.Printf("err %v\n", err)
			continue
		}
		fmt.Printf("ok %s\n", got)
	}
}

// obey does one command. Files it opens stay open until "close".
func obey(words []string, fds *[]int) (string, error) {
	args := words[1:]
	switch words[0] {
	case "name":
		return "", setName(args[0])
	case "pin":
		return "", pin(args[0])
	case "miss":
		return "", one("miss", args[0], fds)
	case "open", "create":
		flags := map[string]int{"open": unix.O_RDONLY, "create": unix.O_RDWR | unix.O_CREAT}
		fd, err := unix.Open(args[0], flags[words[0]], 0o644)
		if err == nil {
			*fds = append(*fds, fd)
		}
		return "", err
	case "close":
		return "", closeAll(fds)
	case "many":
		return "", many(args, fds)
	case "clock": // one after the other, until it is killed
		return "", clock(args[0], fds)
	case "unlink":
		return "", unix.Unlink(args[0])
	case "rename":
		return "", unix.Rename(args[0], args[1])
	case "pid":
		return strconv.Itoa(os.Getpid()), nil
	case "exchange":
		return "", unix.Renameat2(unix.AT_FDCWD, args[0], unix.AT_FDCWD, args[1], unix.RENAME_EXCHANGE)
	case "mount":
		return "", unix.Mount("scene", args[0], args[1], 0, "")
	case "umount":
		return "", unix.Unmount(args[0], 0)
	case "write": // text into a file that is there
		return "", os.WriteFile(args[0], []byte(args[1]+"\n"), 0)
	case "grace": // what is freed by RCU is free
		_, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobal, 0, 0)
		if errno != 0 {
			return "", errno
		}
		return "", nil
	case "spawn": // the rest of the line in a process of its own
		cmd := exec.Command("/proc/self/exe", append([]string{"actor"}, args...)...)
		cmd.Stderr = os.Stderr
		return "", cmd.Run()
	case "exec": // the rest of the line as another program
		return "", unix.Exec("/proc/self/exe", append([]string{"scene", "actor"}, args...), os.Environ())
	case "threads":
		return "", threads(args[0], args[1])
	case "daemon":
		return "", daemon(args)
	case "linger": // what a daemon does: open one file, wait until it may, open the other
		return "", linger(args[0], args[1], args[2])
	case "hog":
		return "", hog()
	}
	return "", fmt.Errorf("no command %q", words[0])
}

// pin keeps the process on one cpu.
func pin(cpu string) error {
	n, err := strconv.Atoi(cpu)
	if err != nil {
		return err
	}
	var set unix.CPUSet
	set.Set(n)
	return unix.SchedSetaffinity(0, &set)
}

func closeAll(fds *[]int) error {
	for _, fd := range *fds {
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	*fds = nil
	return nil
}

func clock(path string, fds *[]int) error {
	for i := 0; ; i++ {
		if err := one("miss", fmt.Sprint(path, i), fds); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}
