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

// tracefsGroup returns the prefix of the group names of this process's events; the library appends a random
// number.
func tracefsGroup() string { return fmt.Sprintf("dtrec_%d", os.Getpid()) }

// tracefsDirs returns the directories where tracefs may be mounted.
func tracefsDirs() []string { return []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} }

// leftovers returns the events in a text of kprobe_events whose recorder no longer runs: one that was killed
// could not remove them.
func leftovers(text string, alive func(pid int) bool) []string {
	var left []string
	ownEvent := regexp.MustCompile(`^[pr]\d*:(dtrec_(\d+)_[0-9a-f]{16}/\S+) `) // the second group is the process id
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

// findLeftovers returns the path of kprobe_events and the events left over in it; both are empty if tracefs
// is not mounted or not readable.
func findLeftovers() (file string, left []string) {
	for _, dir := range tracefsDirs() {
		file := dir + "/kprobe_events"
		if text, err := os.ReadFile(file); err == nil {
			return file, leftovers(string(text), processAlive)
		}
	}
	return "", nil
}

// RemoveLeftovers removes the events of killed recorders. An event that is in use by a recorder in another
// pid namespace stays, because the kernel refuses to remove it.
func RemoveLeftovers() {
	file, left := findLeftovers()
	for _, event := range left {
		// Each event gets a write of its own, as the kernel stops at the first line it refuses.
		if f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, fs.ModePerm); err == nil {
			_, _ = f.WriteString("-:" + event + "\n")
			f.Close()
		}
	}
}
