// SPDX-License-Identifier: Apache-2.0

//go:build linux

package workload

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWorkloadNames(t *testing.T) {
	seed := "minimal_open te_miss tm_miss lm_miss a_miss a_miss_enoent hits delete evict rebuild post " // in this order, as a page has a section for each
	if got := strings.Join(Names(), " "); !strings.HasPrefix(got, seed) {
		t.Errorf("got %s", got)
	}
	for _, name := range Names() {
		if len(name) > 15 {
			t.Errorf("%s is too long for a comm", name)
		}
	}
	if _, err := Find("nosuch"); err == nil {
		t.Error("nosuch is found")
	}
	all, absent, err := Select([]string{"hits", "all"})
	if err != nil || len(all)+len(absent) != len(All()) || all[0].Name != "hits" {
		t.Errorf("%d selected, %d absent, %v", len(all), len(absent), err)
	}
	if slices.ContainsFunc(all, func(w Program) bool { return w.Name == "race" }) {
		t.Error("race is in all")
	}
}

func TestWorkloadSource(t *testing.T) {
	for name, want := range map[string][]string{
		"minimal_open": {
			"char name[65];",
			`snprintf(name, sizeof(name), "test_file_very_long_name_to_force_external_allocation_%010ld", (long)time(NULL));`,
			"int fd = open(name, O_RDWR | O_CREAT, 0644);",
			"close(fd);",
			"unlink(name);",
		},
		"tm_miss": {
			"sync();",
			`int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);`,
			`write(drop, "2\n", 2);`,
			"close(drop);",
			`int fd1 = open("/tmp/t_m.txt", O_RDONLY);`,
			`printf("tm_miss first open fd=%d\n", fd1);`,
			`int fd2 = open("/tmp/t_m.txt", O_RDONLY);`,
			`printf("tm_miss second open fd=%d\n", fd2);`,
		},
		"evict": {
			`close(creat("l_e.txt", 0644));`,
			`close(creat("/tmp/t_e.txt", 0644));`,
			`int l = open("l_e.txt", O_RDONLY);`,
			`int t = open("/tmp/t_e.txt", O_RDONLY);`,
			"close(l);",
			"close(t);",
			"sync();",
			`int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);`,
			`write(drop, "2\n", 2);`,
			`pwrite(drop, "2\n", 2, 0); // dentries used twice survive the first`,
			"close(drop);",
		},
	} {
		w, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(w.Source(), "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s prints\n%s", name, got)
		}
	}
}

// The printed programs are valid C.
func TestWorkloadSourceCompiles(t *testing.T) {
	cc := compiler(t)
	for _, w := range All() {
		cmd := exec.Command(cc, "-x", "c", "-std=gnu11", "-fsyntax-only", "-Wall", "-Werror", "-")
		cmd.Stdin = strings.NewReader(wholeProgram(w.Source()))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", w.Name, err, out)
		}
	}
}

// compiler returns a C compiler that has the headers of a C library.
func compiler(t *testing.T) string {
	t.Helper()
	var why error
	for _, cc := range []string{"cc", "clang-16"} {
		cmd := exec.Command(cc, "-x", "c", "-fsyntax-only", "-")
		cmd.Stdin = strings.NewReader("#include <stdio.h>\n#include <linux/fs.h>\n")
		if why = cmd.Run(); why == nil {
			return cc
		}
	}
	if os.Getenv("DTREC_ALL_TOOLS") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// wholeProgram puts the includes before a program, and a main around it if it is only the body.
func wholeProgram(lines []string) string {
	var b strings.Builder
	b.WriteString("#define _GNU_SOURCE\n")
	for _, h := range []string{"fcntl", "pthread", "stdatomic", "stdio", "string", "sys/ioctl", "sys/stat", "time", "unistd", "linux/fs"} {
		b.WriteString("#include <" + h + ".h>\n")
	}
	body := strings.Join(lines, "\n")
	if !slices.Contains(lines, "int main(void)") {
		body = "int main(void)\n{\n" + body + "\n}"
	}
	return b.String() + body + "\n"
}

// A workload that needs no root really runs, under its own name, and leaves no files.
func TestRunWorkload(t *testing.T) {
	t.Chdir(t.TempDir())
	w, err := Find("minimal_open")
	if err != nil {
		t.Fatal(err)
	}
	var comm string
	gate := func() error {
		b, err := os.ReadFile("/proc/thread-self/comm")
		comm = strings.TrimSpace(string(b))
		return err
	}
	if err := w.Run(1, gate); err != nil {
		t.Error(err)
	}
	if comm != "minimal_open" {
		t.Errorf("it ran as %q", comm)
	}
	if left, _ := filepath.Glob("*"); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}

// A call that fails unexpectedly is reported, and the rest still runs.
func TestRunWorkloadGoesOn(t *testing.T) {
	dir := t.TempDir()
	there, absent := filepath.Join(dir, "there"), filepath.Join(dir, "absent")
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w := Program{Name: "test", steps: []step{
		missing(absent).into("fd"), call("printf", "%d\n", variable("fd")),
		call("open", absent, readOnly).into("fd"), call("creat", there, mode(0o644)).closed(), missing(there), call("unlink", there),
	}}
	err = w.Run(int(pipe.Fd()), nil)
	pipe.Close()
	if err == nil || !strings.Contains(err.Error(), "absent: no such file") || !strings.Contains(err.Error(), "there: it was to fail with") {
		t.Errorf("got %v", err)
	}
	b := make([]byte, 16)
	if n, _ := r.Read(b); string(b[:n]) != "-1\n" {
		t.Errorf("printed %q", b[:n])
	}
	if _, err := os.Stat(there); err == nil {
		t.Error("the last step did not run")
	}
}

func TestWorkloadFiles(t *testing.T) {
	got := strings.Join(files(All()[:11]), " ")
	if got != "/mnt/loopfs/none.txt /tmp/t_e.txt /tmp/t_m.txt l_e.txt l_m.txt" {
		t.Errorf("got %s", got)
	}
}

func TestNeeds(t *testing.T) {
	if _, err := os.Stat(loopFile); err != nil {
		if err, ok := needLoop().(*NeedError); !ok || err.Remedy == "" {
			t.Errorf("no file, and the need is met: %v", err)
		}
	}
	if _, err := os.Stat(casefoldMount); err != nil {
		if err, ok := needCasefold().(*NeedError); !ok || err.Remedy == "" {
			t.Errorf("no directory, and the need is met: %v", err)
		}
	}
}

// The user is told, once for each directory, where drop_caches evicts nothing.
func TestRemarks(t *testing.T) {
	var s unix.Statfs_t
	if unix.Statfs("/dev/shm", &s) != nil || s.Type != unix.TMPFS_MAGIC {
		t.Skip("no tmpfs on /dev/shm")
	}
	list := []Program{{steps: create("/dev/shm/a", "/dev/shm/b", "/proc/x")}}
	got := Remarks(list, []error{os.ErrInvalid})
	if len(got) != 2 || got[0] != "left out: invalid argument" || !strings.HasPrefix(got[1], "/dev/shm is in memory") {
		t.Errorf("got %q", got)
	}
}
