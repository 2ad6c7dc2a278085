// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errand is a command line that leaves its files in outDir.
type errand struct {
	Name string
	Line []string
	FS   string // filesystem of places, if not the one the guest booted with
	Race bool   // with all CPUs of the guest, not with the first alone
}

// outcome is the result of an errand, as if it had run in a guest of its own.
type outcome struct {
	Stdout, Stderr []byte
	Code           int
}

// places are the directories on the filesystem that an errand asks for.
var places = []string{"/tmp", "/work"}

const (
	outDir      = "/out"
	errandLimit = 10 * time.Minute // generous, for a machine that is busy with other work
)

// errands runs the command lines in a file one after the other, each as in a guest that has just
// booted: nothing is left in the directories they work in, nor in the caches. At the end it copies
// outDir, with what they left there and the outcomes in done.json, to dir.
func errands(file, dir string) {
	text, err := os.ReadFile(file)
	check(err)
	var list []errand
	check(json.Unmarshal(text, &list))
	check(os.MkdirAll(outDir, 0o755))
	first, booted := existingPaths(), len(mounts())
	done := make(map[string]outcome)
	for _, e := range list {
		start := time.Now()
		e.mount()
		e.turnCPUs()
		done[e.Name] = e.run()
		tidy(first, booted)
		fmt.Fprintf(os.Stderr, "%s took %v\n", e.Name, time.Since(start).Round(10*time.Millisecond))
	}
	text, err = json.Marshal(done)
	check(err)
	check(os.WriteFile(filepath.Join(outDir, "done.json"), text, 0o644))
	check(os.MkdirAll(dir, 0o755))
	check(os.CopyFS(dir, os.DirFS(outDir)))
}

// mount mounts the errand's filesystem on places, as dtrec vm --fs does, over what the guest booted
// with. For these errands that is overlay on ext4. Tidy unmounts it again.
func (e errand) mount() {
	for _, place := range places {
		switch e.FS {
		case "tmpfs":
			check(unix.Mount("tmpfs", place, "tmpfs", unix.MS_NOATIME, "mode=0755"))
		case "ext4":
			check(unix.Mount(deviceOf("/.dtrec"+place), place, "ext4", unix.MS_NOATIME, "noinit_itable"))
		default:
			return
		}
	}
	check(os.Chmod("/tmp", 0o777|os.ModeSticky))
}

// turnCPUs turns the second CPU on or off, if the guest has one.
func (e errand) turnCPUs() {
	state := "0"
	if e.Race {
		state = "1"
	}
	if err := os.WriteFile("/sys/devices/system/cpu/cpu1/online", []byte(state), 0); !errors.Is(err, os.ErrNotExist) {
		check(err)
	}
}

func (e errand) run() outcome {
	ctx, cancel := context.WithTimeout(context.Background(), errandLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.Line[0], e.Line[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = "/work", &stdout, &stderr, time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return outcome{Stderr: []byte(err.Error()), Code: -1}
	}
	code := cmd.ProcessState.ExitCode()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		code = 128 + int(status.Signal())
	}
	return outcome{stdout.Bytes(), stderr.Bytes(), code}
}

// existingPaths returns the names in the directories that errands work in, and on the disks below an overlay.
func existingPaths() map[string]bool {
	names := make(map[string]bool)
	for _, dir := range append([]string{"/mnt/casefold", "/.dtrec/tmp", "/.dtrec/work"}, places...) {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue // the kernel cannot fold case, or there is no overlay
		}
		check(err)
		for _, e := range entries {
			names[filepath.Join(dir, e.Name())] = true
		}
	}
	return names
}

// mounted is a line of /proc/self/mounts.
type mounted struct{ source, point string }

// mounts returns the mounts in the order in which they were made. Spaces and other special characters
// are octal escapes in /proc/self/mounts.
func mounts() (list []mounted) {
	text, err := os.ReadFile("/proc/self/mounts")
	check(err)
	plain := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#")
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		list = append(list, mounted{plain.Replace(words[0]), plain.Replace(words[1])})
	}
	return list
}

// deviceOf returns the source of the mount at a mount point.
func deviceOf(point string) string {
	list := mounts()
	i := slices.IndexFunc(list, func(m mounted) bool { return m.point == point })
	if i < 0 {
		fail(fmt.Errorf("nothing is mounted on %s", point))
	}
	return list[i].source
}

// tidy unmounts and removes what was not there at first, and empties the caches.
func tidy(first map[string]bool, booted int) {
	for _, m := range slices.Backward(mounts()[booted:]) {
		if err := unix.Unmount(m.point, unix.MNT_DETACH); err != nil {
			fail(fmt.Errorf("unmount %q: %w", m.point, err))
		}
	}
	for name := range existingPaths() {
		if !first[name] {
			check(os.RemoveAll(name))
		}
	}
	unix.Sync()
	check(os.WriteFile("/proc/sys/vm/drop_caches", []byte("3\n"), 0))
}
