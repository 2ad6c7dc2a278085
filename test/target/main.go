// SPDX-License-Identifier: Apache-2.0

// Target is a program that the kernel tests record.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

func run(what string, args []string) error {
	switch what {
	case "exit":
		code, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		os.Exit(code)
	case "signal":
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return syscall.Kill(os.Getpid(), syscall.Signal(n))
	case "open": // open each path once, missing or not
		for _, path := range args {
			if f, err := os.Open(path); err == nil {
				f.Close()
			}
		}
	case "child": // run the rest of the line in a process of its own
		cmd := exec.Command(os.Args[0], args...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	case "walk": // open every regular file below a directory so many times
		return walk(args[0], args[1])
	}
	return nil
}

func walk(dir, times string) error {
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	for range n {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
					syscall.Close(fd)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
