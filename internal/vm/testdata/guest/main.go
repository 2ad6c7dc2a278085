// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command guest is what the tests run in a real guest: its init, and jobs that each show one property.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dtrec/dtrec/internal/vm"
)

func main() {
	if vm.InGuest() {
		vm.Init()
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(job string, args []string) error {
	switch job {
	case "everything":
		return everything()
	case "facts":
		return facts(os.Stdout)
	case "facts-file":
		f, err := os.Create("facts")
		if err != nil {
			return err
		}
		return errors.Join(facts(f), f.Close())
	case "args":
		_, err := fmt.Printf("%q %s\n", args, os.Getenv("DTREC_TEST"))
		return err
	case "kill":
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "interrupt":
		return interrupted()
	case "sleep":
		time.Sleep(time.Hour)
	case "panic":
		return os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
	}
	return fmt.Errorf("no job %q", job)
}

// interrupted prints a line when it is ready, and at the first SIGINT writes an output and ends with exit code 4.
func interrupted() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	fmt.Println("waiting")
	s := <-signals
	if err := os.WriteFile("facts", []byte(s.String()), 0o644); err != nil {
		return err
	}
	os.Exit(4)
	return nil
}

// everything writes the facts and other outputs, runs the programs taken along, fills stdout and stderr, and
// ends with exit code 255 while another process holds its stdout.
func everything() error {
	f, err := os.Create("facts")
	if err != nil {
		return err
	}
	if err := errors.Join(facts(f), f.Close(), outputs(), writeBytes()); err != nil {
		return err
	}
	var told []byte
	for _, program := range []string{"taken/prog", "/tmp/prog"} {
		out, err := exec.Command(program, "args", "taken").Output()
		if err != nil {
			return err
		}
		told = append(told, out...)
	}
	if err := os.WriteFile("programs", told, 0o644); err != nil {
		return err
	}
	orphan := exec.Command("/proc/self/exe", "sleep")
	orphan.Stdout = os.Stdout
	if err := orphan.Start(); err != nil {
		return err
	}
	os.Exit(255)
	return nil
}

// facts writes what a job can rely on, one fact per line.
func facts(w io.Writer) error {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		fmt.Fprintf(w, "mount %s %s\n", f[1], f[2])
	}
	var uts syscall.Utsname
	if err := syscall.Uname(&uts); err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	a, err := os.ReadFile("/mnt/loopfs/a.txt")
	if err != nil {
		return err
	}
	restrict, err := os.ReadFile("/proc/sys/kernel/kptr_restrict")
	if err != nil {
		return err
	}
	state, err := os.ReadFile("/sys/class/net/lo/operstate")
	if err != nil {
		return err
	}
	info, err := os.Stdout.Stat()
	if err != nil {
		return err
	}
	if _, err := os.Stat("/sys/fs/ext4/features/casefold"); err == nil {
		fmt.Fprintln(w, "casefold yes")
	}
	fmt.Fprintf(w, "hostname %s\nrelease %s\n", text(uts.Nodename), text(uts.Release))
	fmt.Fprintf(w, "cwd %s\nuid %d\na.txt %q\nkptr_restrict %s", dir, os.Getuid(), a, restrict)
	fmt.Fprintf(w, "stdout %v\nlo %s", info.Mode().Type(), state)
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("2\n"), 0)
}

func text(field [65]int8) string {
	b := make([]byte, 0, len(field))
	for _, c := range field {
		b = append(b, byte(c))
	}
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

// writeBytes writes every byte value to stdout many times, and to stderr in another order.
func writeBytes() error {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if _, err := os.Stdout.Write(bytes.Repeat(all, 1024)); err != nil {
		return err
	}
	for i := range all {
		all[i] = byte(255 - i)
	}
	_, err := io.Copy(os.Stderr, bytes.NewReader(bytes.Repeat(all, 256)))
	return err
}

func outputs() error {
	if err := os.WriteFile("traces/run1.pb", bytes.Repeat([]byte("0123456789abcdef"), 1<<18), 0o600); err != nil {
		return err
	}
	if err := os.MkdirAll("dir/deep", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile("dir/deep/file", []byte("deep"), 0o644); err != nil {
		return err
	}
	return os.Symlink("/etc/passwd", "dir/link")
}
