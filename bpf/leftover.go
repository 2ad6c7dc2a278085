// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tracefsGroup begins the names of the events this process makes; the library adds a
// number by chance.
func tracefsGroup() string { return fmt.Sprintf("dtrec_%d", os.Getpid()) }

// tracefsDirs are where tracefs may be mounted.
func tracefsDirs() []string { return []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} }

// leftovers returns the events in a text of kprobe_events whose recorder is gone: killed,
// it could not take them back.
func leftovers(text string, alive func(pid int) bool) []string {
	var left []string
	ownEvent := regexp.MustCompile(`^[pr]\d*:(dtrec_(\d+)_[0-9a-f]{16}/\S+) `) // with its process id
	for _, line := range strings.Split(text, "\n") {
		if m := ownEvent.FindStringSubmatch(line); m != nil {
			if pid, err := strconv.Atoi(m[2]); err == nil && !alive(pid) {
				left = append(left, m[1])
			}
		}
	}
	slices.Sort(left)
	return left
}

func processAlive(pid int) bool { return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

// findLeftovers looks where tracefs is mounted; of what may not be read there is nothing.
func findLeftovers() (file string, left []string) {
	for _, dir := range tracefsDirs() {
		file := dir + "/kprobe_events"
		if text, err := os.ReadFile(file); err == nil {
			return file, leftovers(string(text), processAlive)
		}
	}
	return "", nil
}

// RemoveLeftovers removes the events of killed recorders. One that a recorder in another
// pid namespace uses is refused by the kernel, and stays.
func RemoveLeftovers() {
	file, left := findLeftovers()
	for _, event := range left {
		// Each in a write of its own: the kernel stops at the first it refuses.
		if f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, fs.ModePerm); err == nil {
			_, _ = f.WriteString("-:" + event + "\n")
			f.Close()
		}
	}
}
