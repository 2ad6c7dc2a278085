// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWorkloadNames(t *testing.T) {
	want := "minimal_open te_miss tm_miss lm_miss a_miss a_miss_enoent hits delete evict rebuild post"
	if got := strings.Join(WorkloadNames(), " "); got != want {
		t.Errorf("got %s", got)
	}
	for _, name := range WorkloadNames() {
		if len(name) > 15 {
			t.Errorf("%s is too long for a comm", name)
		}
	}
	if _, err := FindWorkload("nosuch"); err == nil {
		t.Error("nosuch is found")
	}
	all, err := selectWorkloads([]string{"hits", "all"})
	if err != nil || len(all) != 1+len(Workloads()) || all[0].Name != "hits" {
		t.Errorf("%d selected, %v", len(all), err)
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
		w, err := FindWorkload(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(w.Source(), "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s prints\n%s", name, got)
		}
	}
}

// What is printed is C.
func TestWorkloadSourceCompiles(t *testing.T) {
	clang, err := exec.LookPath("clang-16")
	if err != nil {
		if os.Getenv("DTREC_ALL_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	const prelude = `
typedef unsigned long size_t;
typedef long ssize_t;
#define NULL ((void *)0)
#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_CREAT 0100
int open(const char *, int, ...), creat(const char *, unsigned), close(int), unlink(const char *);
void sync(void);
ssize_t write(int, const void *, size_t), pwrite(int, const void *, size_t, long);
int printf(const char *, ...), snprintf(char *, size_t, const char *, ...);
long time(long *);
int main(void)
{
`
	for _, w := range Workloads() {
		cmd := exec.Command(clang, "-x", "c", "-std=gnu11", "-fsyntax-only", "-Wall", "-Werror", "-")
		cmd.Stdin = strings.NewReader(prelude + strings.Join(w.Source(), "\n") + "\n}\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", w.Name, err, out)
		}
	}
}

// A workload that needs no root really runs, under its name, and leaves nothing.
func TestRunWorkload(t *testing.T) {
	t.Chdir(t.TempDir())
	w, err := FindWorkload("minimal_open")
	if err != nil {
		t.Fatal(err)
	}
	var comm string
	gate := func() error {
		b, err := os.ReadFile("/proc/thread-self/comm")
		comm = strings.TrimSpace(string(b))
		return err
	}
	if err := RunWorkload(&w, 1, gate); err != nil {
		t.Error(err)
	}
	if comm != "minimal_open" {
		t.Errorf("it ran as %q", comm)
	}
	if left, _ := filepath.Glob("*"); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}

// A call that fails against expectation is told, and the rest still runs.
func TestRunWorkloadGoesOn(t *testing.T) {
	dir := t.TempDir()
	there, absent := filepath.Join(dir, "there"), filepath.Join(dir, "absent")
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w := Workload{Name: "test", steps: []step{
		open{path: absent, fd: "fd", missing: true}, printFD{"%d\n", "fd"},
		open{path: absent, fd: "fd"}, creat{there}, open{path: there, missing: true}, unlink{path: there},
	}}
	err = RunWorkload(&w, int(pipe.Fd()), nil)
	pipe.Close()
	if err == nil || !strings.Contains(err.Error(), "absent: no such file") || !strings.Contains(err.Error(), "there: file already exists") {
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
	got := strings.Join(workloadFiles(Workloads()), " ")
	if got != "/mnt/loopfs/none.txt /tmp/t_e.txt /tmp/t_m.txt l_e.txt l_m.txt" {
		t.Errorf("got %s", got)
	}
}

func TestNeeds(t *testing.T) {
	var s unix.Statfs_t
	if unix.Statfs("/dev/shm", &s) == nil && s.Type == unix.TMPFS_MAGIC {
		err, ok := needDisk("/dev/shm/x")().(*NeedError)
		if !ok || err.Remedy == "" {
			t.Errorf("tmpfs is good enough: %v", err)
		}
	}
	if err := needDisk("/proc/x")(); err != nil {
		t.Errorf("a filesystem that is not tmpfs: %v", err)
	}
	if _, err := os.Stat(loopFile); err != nil {
		if err, ok := needLoop(loopFile)().(*NeedError); !ok || err.Remedy == "" {
			t.Errorf("no file, and the need is met: %v", err)
		}
	}
}
