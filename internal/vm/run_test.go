// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	sayAlive = `echo '{"Alive":true,"Uptime":1.5}' >&6; `
	sayDone  = `echo '{"Done":true,"Exit":%EXIT%}' >&6; `
)

func sayExit(code string) string { return strings.ReplaceAll(sayDone, "%EXIT%", code) }

func TestRunPassesStreamsAndExit(t *testing.T) {
	c := fakeQEMU(t, sayAlive+`printf 'out\0\r\n' >&4; printf 'err' >&5; `+sayExit("42"))
	var stdout, stderr, console bytes.Buffer
	c.Stdout, c.Stderr, c.Console = &stdout, &stderr, &console
	code, err := Run(t.Context(), c)
	if err != nil || code != 42 {
		t.Fatalf("got exit code %d and %v, want 42", code, err)
	}
	if stdout.String() != "out\x00\r\n" || stderr.String() != "err" || console.String() != "booting\n" {
		t.Errorf("got stdout %q, stderr %q, console %q", &stdout, &stderr, &console)
	}
}

func TestRunBringsOutputsHome(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	archive := filepath.Join(dir, "archive")
	writeArchive(t, archive, tar.Header{Name: "0", Typeflag: tar.TypeReg, Mode: 0o600, Size: 5})
	c := fakeQEMU(t, sayAlive+`cat `+archive+` >/proc/self/fd/12; echo '{"Done":true,"Size":10240}' >&6`)
	c.Outputs = []string{"run1.pb"}
	if code, err := Run(t.Context(), c); err != nil || code != 0 {
		t.Fatalf("got exit code %d and %v, want 0", code, err)
	}
	if text, err := os.ReadFile("run1.pb"); err != nil || string(text) != "xxxxx" {
		t.Errorf("got output %q, %v", text, err)
	}
}

// A guest that says twice that it is up is not trusted any less.
func TestRunUpTwice(t *testing.T) {
	c := fakeQEMU(t, sayAlive+sayAlive+sayExit("3"))
	if code, err := Run(t.Context(), c); err != nil || code != 3 {
		t.Errorf("got exit code %d and %v, want 3", code, err)
	}
}

func TestRunMissingOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	c := fakeQEMU(t, sayAlive+sayExit("0"))
	c.Outputs = []string{"run1.pb"}
	if _, err := Run(t.Context(), c); !errors.Is(err, ErrNoOutput) {
		t.Errorf("job exits with 0: got %v, want ErrNoOutput", err)
	}
	c = fakeQEMU(t, sayAlive+sayExit("3"))
	c.Outputs = []string{"run1.pb"}
	if code, err := Run(t.Context(), c); err != nil || code != 3 {
		t.Errorf("job exits with 3: got %d and %v", code, err)
	}
}

func TestRunFailures(t *testing.T) {
	tests := []struct {
		name, body string
		timeout    time.Duration
		want       error
		text       string // part of the message
	}{
		{"panic", `echo 'Kernel panic - not syncing: VFS: no root' >&3`, 0, ErrPanic, "VFS: no root"},
		{"panic after init", sayAlive + `echo 'Kernel panic - not syncing: Oops' >&3`, 0, ErrPanic, "Oops"},
		{"hang", sayAlive + `sleep 60`, 3 * time.Second, ErrTimeout, "booting"},
		{"hang before init", `sleep 60`, 3 * time.Second, ErrTimeout, "booting"},
		{"mount", sayAlive + `echo '{"Error":"mount ext4 on /tmp: no such device"}' >&6`, 0, ErrInit, "mount ext4 on /tmp"},
		{"no init", `:`, 0, ErrNoBoot, "booting"},
		{"no result", sayAlive, 0, ErrDied, "without a result"},
		{"QEMU complains", `echo 'qemu: could not load kernel' >&2; exit 1`, 0, ErrDied, "could not load kernel"},
		{"garbage", sayAlive + `echo 'what?' >&6`, 0, ErrDied, "what?"},
		{"exit code out of range", sayAlive + sayExit("256"), 0, ErrDied, "256"},
		{"size out of range", sayAlive + `echo '{"Done":true,"Size":-1}' >&6`, 0, ErrBadOutput, "-1"},
		{"escape sequence", `printf '\033[2Jboo\n' >&3`, 0, ErrNoBoot, "?[2Jboo"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := fakeQEMU(t, tt.body)
			c.Timeout, c.grace = tt.timeout, time.Second
			start := time.Now()
			_, err := Run(t.Context(), c)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("got %v, want %v with %q", err, tt.want, tt.text)
			}
			var guest *GuestError
			if !errors.As(err, &guest) || len(guest.Console) == 0 {
				t.Errorf("%v: no console in it", err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestRunNoBootWatchdog(t *testing.T) {
	c := fakeQEMU(t, `sleep 60`)
	done, err := runOnce(t.Context(), fakePlan(t, c), 2*time.Second)
	if done.Alive || !errors.Is(err, ErrNoBoot) {
		t.Errorf("got alive %v, %v, want ErrNoBoot", done.Alive, err)
	}
}

// A guest that hangs at its first boot is booted again, and its outputs are those of the second boot.
func TestRunBootsAgain(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "booted")
	c := fakeQEMU(t, "test -e "+marker+" || { touch "+marker+"; exec sleep 60; }\n"+sayAlive+sayExit("3"))
	var told []string
	c.Notice = func(text string) {
		if !strings.Contains(text, ": up after ") {
			told = append(told, text)
		}
	}
	done, err := runWithRetry(t.Context(), fakePlan(t, c), 2*time.Second)
	if err != nil || !done.Alive || done.Exit != 3 || len(told) != 1 || !strings.Contains(told[0], "booting it again") {
		t.Errorf("exit %d, alive %v, %v; told %q", done.Exit, done.Alive, err, told)
	}
}

func TestRunCancelled(t *testing.T) {
	c := fakeQEMU(t, sayAlive+`echo up >&4; sleep 60`)
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupt := errors.New("interrupted")
	c.Stdout = writerFunc(func(p []byte) (int, error) { cancel(interrupt); return len(p), nil })
	start := time.Now()
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) || !errors.Is(err, interrupt) {
		t.Errorf("got %v, want context.Canceled for being interrupted", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v to stop", took)
	}
}

// The first signal is the job's, which ends as it likes; a second ends the guest, and so does one while it boots.
func TestRunSignals(t *testing.T) {
	tests := []struct {
		name, body string
		on         []string // a signal comes when one of these is told
		code       int
		want       error
	}{
		{"one", sayAlive + `read line </proc/self/fd/14; test "$line" = '{"Signal":2}' && ` + sayExit("5"), []string{"up after"}, 5, nil},
		{"two", sayAlive + `sleep 60`, []string{"up after", "passed on"}, 0, context.Canceled},
		{"while it boots", `sleep 60`, nil, 0, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := fakeQEMU(t, tt.body)
			signals := make(chan os.Signal, 2)
			c.Signals = signals
			if tt.on == nil {
				signals <- os.Interrupt
			}
			c.Notice = func(told string) {
				if slices.ContainsFunc(tt.on, func(on string) bool { return strings.Contains(told, on) }) {
					signals <- os.Interrupt
				}
			}
			if code, err := Run(t.Context(), c); code != tt.code || !errors.Is(err, tt.want) {
				t.Errorf("got %d, %v, want %d, %v", code, err, tt.code, tt.want)
			}
		})
	}
}

// A job is interrupted when the time is over. What it brings back then is kept, and the run has failed all the same.
func TestRunInterruptedInTheEnd(t *testing.T) {
	t.Chdir(t.TempDir())
	c := fakeQEMU(t, sayAlive+`read line </proc/self/fd/14; test "$line" = '{"Signal":2}' && `+sayExit("130"))
	c.Timeout = time.Second
	var notices []string
	c.Notice = func(text string) { notices = append(notices, text) }
	if code, err := Run(t.Context(), c); code != 130 || !errors.Is(err, ErrTimeout) || !strings.HasSuffix(err.Error(), "what that wrote is kept") {
		t.Errorf("got %d, %v, want 130 and ErrTimeout", code, err)
	}
	if last := notices[len(notices)-1]; !strings.HasPrefix(last, "1s are over: Ctrl-C passed on") {
		t.Errorf("told %q", notices)
	}
}

func TestRunNobodyListens(t *testing.T) {
	c := fakeQEMU(t, sayAlive+`while echo more; do :; done >&4`)
	broken := errors.New("broken pipe")
	c.Stdout = writerFunc(func([]byte) (int, error) { return 0, broken })
	if _, err := Run(t.Context(), c); !errors.Is(err, broken) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

func TestRunGuestThatStaysUp(t *testing.T) {
	c := fakeQEMU(t, sayAlive+sayExit("7")+`sleep 60`)
	c.powerOff = time.Second
	if code, err := Run(t.Context(), c); code != 7 || err != nil {
		t.Errorf("got %d, %v, want 7", code, err)
	}
}

func TestRunRefuses(t *testing.T) {
	good := fakeQEMU(t, "exit 1")
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("not a kernel"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Config)
		want   error
		text   string
	}{
		{"no kernel", func(c *Config) { c.Kernel = "/nonexistent/vmlinuz" }, os.ErrNotExist, "kernel"},
		{"not a kernel", func(c *Config) { c.Kernel = text }, ErrNotBootable, text},
		{"no program", func(c *Config) { c.Program = "/nonexistent/dtrec" }, os.ErrNotExist, "program"},
		{"not a program", func(c *Config) { c.Program = text }, nil, "not an executable"},
		{"dynamic program", func(c *Config) { c.Program = fakeELF(t, "/lib64/ld.so") }, ErrNotStatic, "CGO_ENABLED=0"},
		{"dynamic file", func(c *Config) { c.Files = []File{{fakeELF(t, "/lib64/ld.so"), "/bin/x"}} }, ErrNoLibraries, "/lib64/ld.so"},
		{"loader of its own", func(c *Config) { c.Files = []File{{fakeELF(t, "/tmp/ld.so"), "/bin/x"}} }, ErrNoLibraries, "no loader of this system"},
		{"no file", func(c *Config) { c.Files = []File{{"/nonexistent/x", ""}} }, os.ErrNotExist, "take along"},
		{"empty output", func(c *Config) { c.Outputs = []string{""} }, nil, "without a name"},
		{"file system", func(c *Config) { c.FS = "xfs" }, nil, "xfs"},
		{"accelerator", func(c *Config) { c.Accel = "hvf" }, nil, "hvf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.change(&c)
			_, err := Run(t.Context(), c)
			if err == nil || !strings.Contains(err.Error(), tt.text) || (tt.want != nil && !errors.Is(err, tt.want)) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestRunWithoutQEMU(t *testing.T) {
	c := fakeQEMU(t, "exit 1")
	t.Setenv("PATH", t.TempDir())
	if _, err := Run(t.Context(), c); !errors.Is(err, ErrNoQEMU) {
		t.Errorf("got %v, want ErrNoQEMU", err)
	}
}

func TestRunOldQEMU(t *testing.T) {
	c := fakeQEMU(t, sayAlive+sayExit("0"))
	t.Setenv("FAKE_VERSION", "7.2.15")
	var notices []string
	c.Notice = func(s string) { notices = append(notices, s) }
	if _, err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if len(notices) != 2 || !strings.Contains(notices[0], "7.2.15") {
		t.Errorf("got notices %q, want one about 7.2.15", notices)
	}
	if want := "Linux 6.1.0-99-cloud-amd64 x86_64 in QEMU 7.2.15, tcg: up after 1.5 s"; notices[1] != want {
		t.Errorf("got notice %q, want %q", notices[1], want)
	}
}

// TestKVMDecision checks which accelerator is chosen, and what is remembered, if guests hang under KVM and if
// they do not.
func TestKVMDecision(t *testing.T) {
	const log = `case "$*" in *"-accel kvm"*) echo kvm >>"$FAKE_LOG" ;; *) echo tcg >>"$FAKE_LOG" ;; esac; `
	const hangs = log + `case "$*" in *"-accel kvm"*) sleep 60 ;; esac; `
	tests := []struct {
		name, body string
		patience   time.Duration // for one run; used up only by a guest that hangs
		want       []string      // accelerators used in two runs
		notices    int
	}{
		{"KVM works", log + sayAlive, time.Minute, []string{"kvm", "kvm"}, 0},
		{"KVM hangs", hangs + sayAlive, time.Minute, []string{"kvm", "tcg", "tcg"}, 1},
		{"the kernel hangs", log + `sleep 60; `, 8 * time.Second, []string{"kvm", "tcg", "kvm", "tcg"}, 0},
		{"the kernel ends", log, time.Minute, []string{"kvm", "tcg", "kvm", "tcg"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := fakeQEMU(t, tt.body+sayExit("0"))
			if !strings.Contains(tt.body, "Alive") {
				c = fakeQEMU(t, tt.body)
			}
			dir := t.TempDir()
			t.Setenv("FAKE_LOG", filepath.Join(dir, "log"))
			c.Accel = ""
			got, notices := decide(t, c, dir, tt.patience)
			if !slices.Equal(got, tt.want) || notices != tt.notices {
				t.Errorf("got %q and %d notices, want %q and %d", got, notices, tt.want, tt.notices)
			}
		})
	}
}

// decide makes two runs on a machine whose memory of KVM is in dir. It returns the accelerators used and the
// number of notices.
func decide(t *testing.T, c Config, dir string, patience time.Duration) (accels []string, notices int) {
	t.Helper()
	device := filepath.Join(dir, "kvm-device")
	writeExecutable(t, device, "")
	memory := kvmMemory{device: device, file: filepath.Join(dir, "cache", "kvm"), limit: 2 * time.Second}
	c.Notice = func(text string) {
		if !strings.Contains(text, ": up after ") {
			notices++
		}
	}
	p := fakePlan(t, c)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, _ = runAccelerated(ctx, p, memory)
		cancel()
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(log)), notices
}

func TestKVMRecall(t *testing.T) {
	dir := t.TempDir()
	device := filepath.Join(dir, "device")
	k := kvmMemory{device: device, file: filepath.Join(dir, "a", "kvm")}
	if got := k.recall(); got != accelTCG {
		t.Errorf("no device: got %q, want tcg", got)
	}
	writeExecutable(t, device, "")
	if got := k.recall(); got != "" {
		t.Errorf("nothing remembered: got %q, want nothing", got)
	}
	k.remember(accelKVM)
	if got := k.recall(); got != accelKVM {
		t.Errorf("remembered: got %q, want kvm", got)
	}
	if err := os.WriteFile(k.file, []byte("another-boot tcg\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := k.recall(); got != "" {
		t.Errorf("remembered from another boot: got %q, want nothing", got)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
