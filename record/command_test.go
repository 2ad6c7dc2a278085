// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/schema"
)

func TestRunCommandExitCode(t *testing.T) {
	for script, want := range map[string]int32{"exit 0": 0, "exit 7": 7, "exit 255": 255, "kill -9 $$": 137, "kill -15 $$": 143} {
		program, err := runShell(t, script)
		if err != nil {
			t.Errorf("%s: %v", script, err)
			continue
		}
		if program.ExitCode != want || program.Name != "sh" || program.Pid == 0 || program.EndNs == 0 {
			t.Errorf("%s: %v, want code %d", script, program, want)
		}
	}
}

// runShell runs a shell script as the recorded command.
func runShell(t *testing.T, script string) (*schema.Program, error) {
	t.Helper()
	signals := endSignals()
	defer signal.Stop(signals)
	return runCommand(exec.Command("sh", "-c", script), signals, func() error { return nil })
}

// A Ctrl-C that reaches only the recorder ends neither the recorder nor the command; the other signals that end a
// recording are passed on to the command.
func TestRunCommandSignals(t *testing.T) {
	program, err := runShell(t, "kill -INT $PPID; exit 3")
	if err != nil || program.ExitCode != 3 {
		t.Errorf("SIGINT: %v, %v", program, err)
	}
	for _, name := range []string{"TERM", "HUP", "QUIT"} {
		if name == "HUP" && signal.Ignored(syscall.SIGHUP) {
			continue // the test runs under nohup
		}
		program, err := runShell(t, "trap 'exit 4' "+name+"; kill -"+name+" $PPID; while :; do sleep 0.01; done")
		if err != nil || program.ExitCode != 4 {
			t.Errorf("SIG%s: %v, %v", name, program, err)
		}
	}
}

// Under nohup neither the recorder nor the command ends by SIGHUP, and the command can see that. The test runs itself so.
func TestIgnoredSignals(t *testing.T) {
	if os.Getenv("DTREC_NOHUP") == "" {
		self := exec.Command("sh", "-c", `trap '' HUP INT; exec "$0" -test.run '^TestIgnoredSignals$'`, os.Args[0])
		self.Env = append(os.Environ(), "DTREC_NOHUP=1")
		if out, err := self.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	program, err := runShell(t, "kill -HUP $PPID; kill -INT $PPID; kill -HUP $$; kill -INT $$; exit 5")
	if err != nil || program.ExitCode != 5 {
		t.Errorf("%v, %v", program, err)
	}
	signals := endSignals()
	defer signal.Stop(signals)
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
	}
	if first := <-signals; first != syscall.SIGTERM {
		t.Errorf("a recording ends by %v, which was ignored", first)
	}
}

// A signal that came while the probes were attached is not taken for the end of what it came before.
func TestInterruptedBeforeTheStart(t *testing.T) {
	for want, c := range map[string]*Config{
		"interrupted before the command was started; it was not run":  {Command: []string{"true"}},
		"interrupted before the workload was started; it was not run": {Workloads: []string{"hits"}},
	} {
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGTERM
		s := &session{config: c, signals: signals}
		run := func() (string, int, error) { return s.recordCommand(nil) }
		if len(c.Workloads) > 0 {
			run = func() (string, int, error) { return s.recordWorkloads(nil) }
		}
		by, code, err := run()
		if by != "interrupt" || code != 143 || err == nil || err.Error() != want {
			t.Errorf("ended by %s, code %d: %v, want %s", by, code, err, want)
		}
		if err := s.interrupted(); err != nil {
			t.Errorf("without a signal: %v", err)
		}
	}
	signals := make(chan os.Signal, 1)
	signals <- os.Interrupt
	if err := (&session{config: &Config{}, signals: signals}).interrupted(); err != nil || len(signals) != 1 {
		t.Errorf("a recording without a command ends in the regular way: %v", err)
	}
}

// A command that cannot be started is reported before anything is changed.
func TestNewCommandErrors(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"no-such-command-at-all": 127, dir + "/absent": 127, plain: 126, dir: 126} {
		_, err := newCommand(&Config{Command: []string{name}})
		var e *CommandError
		if !errors.As(err, &e) || e.Code != want {
			t.Errorf("%s: %v, want code %d", name, err, want)
		}
	}
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, []byte("#!/does/not/exist\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd, err := newCommand(&Config{Command: []string{broken}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = runCommand(cmd, nil, nil)
	if e := (*CommandError)(nil); !errors.As(err, &e) || e.Code != 127 {
		t.Errorf("no interpreter: %v", err)
	}
}

// A recording that cannot begin creates no file.
func TestRunLeavesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []Config{
		{Output: "out.pb"},
		{Output: "out.pb", Command: []string{"no-such-command-at-all"}},
		{Output: "out.pb", Workloads: []string{"nosuch"}},
		{Output: "out.pb", Command: []string{"true"}, User: "no-such-user-at-all"},
	} {
		result, err := Run(context.Background(), c)
		if err == nil || result != (Result{}) {
			t.Errorf("%+v: %+v, %v", c, result, err)
		}
	}
	if left, _ := filepath.Glob("*"); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// An output that may not be written is reported before anything is attached, and /dev/null is never removed.
func TestCreateOutput(t *testing.T) {
	dir := t.TempDir()
	if err := (&Config{}).checkOutput(dir); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a directory: %v", err)
	}
	notes := filepath.Join(dir, "notes")
	if err := os.WriteFile(notes, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	var refused *tracefile.RefusedError
	if err := (&Config{}).checkOutput(notes); !errors.As(err, &refused) {
		t.Errorf("a file that is no trace: %v", err)
	}
	o, err := (&Config{Force: true}).createOutput(notes)
	if err != nil || o.remove() != nil {
		t.Errorf("by force: %v", err)
	}
	if _, err := os.Stat(notes); err == nil {
		t.Error("the file removed is there")
	}
	null, err := (&Config{}).createOutput(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(null.close(), null.remove()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(os.DevNull); err != nil {
		t.Error(err)
	}
}

// A frame written only in part is removed again, and only the events of complete frames are counted.
func TestOutputCutsToWholeFrames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	o, err := (&Config{}).createOutput(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.writeFrame([]byte("whole"), 5); err != nil {
		t.Fatal(err)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	// Beyond this limit the kernel writes in part and then fails, as on a full disk; Go ignores SIGXFSZ.
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 8, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	err = o.writeFrame([]byte("too long"), 9)
	if e := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); e != nil {
		t.Fatal(e)
	}
	if !errors.Is(err, syscall.EFBIG) || o.wholeEvents != 5 {
		t.Errorf("error %v, kept %d", err, o.wholeEvents)
	}
	if b, _ := os.ReadFile(path); string(b) != "whole" {
		t.Errorf("the file holds %q", b)
	}
}

func TestInvoker(t *testing.T) {
	env := map[string]string{"SUDO_UID": "54321", "SUDO_GID": "54322"}
	get := func(name string) string { return env[name] }
	id := sudoCaller(get)
	if os.Geteuid() != 0 {
		if id != nil {
			t.Error("SUDO_UID is believed without being root")
		}
		return
	}
	if id == nil || id.uid != 54321 || id.gid != 54322 || len(id.groups) != 0 {
		t.Errorf("got %+v", id)
	}
	for _, uid := range []string{"", "0", "nonsense", "-1"} {
		env["SUDO_UID"] = uid
		if id := sudoCaller(get); id != nil {
			t.Errorf("SUDO_UID=%q: %+v", uid, id)
		}
	}
}

func TestEnvironment(t *testing.T) {
	id := &identity{name: "ann", home: "/home/ann"}
	got := id.environment([]string{"HOME=/root", "USER=root", "LOGNAME=root", "PATH=/bin", "HOMELESS=1"})
	want := []string{"PATH=/bin", "HOMELESS=1", "HOME=/home/ann", "USER=ann", "LOGNAME=ann"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := (&identity{}).environment([]string{"HOME=/root"}); !slices.Equal(got, []string{"HOME=/root"}) {
		t.Errorf("a uid without an account changes the environment: %q", got)
	}
}

func TestTargetWords(t *testing.T) {
	for _, test := range []struct {
		config Config
		want   string
	}{
		{Config{Command: []string{"ls"}}, "the command and what it starts"},
		{Config{Targets: Targets{All: true}}, ""},
		{Config{Targets: Targets{PIDs: []uint32{7}, Comm: "cat"}}, `process 7 and what it starts; tasks named "cat"`},
		{Config{Targets: Targets{Comm: "c\tt\xff"}}, "tasks named \"c\tt\\xff\""},
		{Config{Targets: Targets{Cgroup: "/sys/fs/\xff"}}, `cgroup /sys/fs/\xff`},
	} {
		if got := test.config.targetText(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestStatus(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) is %s", n, got)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 3 << 20: "3.0 MiB", 5 << 30: "5.0 GiB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) is %s", n, got)
		}
	}
	if got := statusLine(1234, 10, 5, 2048); got != "1,234 events  10/s  5 lost  2.0 KiB" {
		t.Errorf("got %q", got)
	}
	var out bytes.Buffer
	stop := make(chan struct{})
	close(stop)
	showStatus(&out, &counters{}, stop)
	if out.String() != "\r\x1b[K" {
		t.Errorf("the line is not taken away: %q", out.String())
	}
}

// The header gives the workloads as the flag that selects them.
func TestWords(t *testing.T) {
	c := Config{Workloads: []string{"hits", "post"}}
	if got := c.commandLine(); !slices.Equal(got, []string{"--workload", "hits,post"}) {
		t.Errorf("got %q", got)
	}
}

// A command that is not UTF-8 can be recorded, and info shows it as the words that were typed.
func TestCommandOfOtherBytes(t *testing.T) {
	typed := []string{"/\xfe/cat", "\xff", `\xff`}
	c := Config{Command: typed, Targets: Targets{Comm: "\xff"}}
	var out bytes.Buffer
	trace, err := schema.NewWriter(&out, &schema.Header{Command: c.commandLine(), Target: c.targetText()})
	if err != nil {
		t.Fatal(err)
	}
	if err := trace.Close(&schema.Footer{}); err != nil {
		t.Fatal(err)
	}
	r, err := schema.NewReader(&out, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range r.Header().Command {
		if got := shown.FromStored(w); got != typed[i] {
			t.Errorf("%q came back as %q", typed[i], got)
		}
	}
	program, err := runCommand(&exec.Cmd{Path: "/bin/true", Args: []string{"/bin/\xff"}}, nil, func() error { return nil })
	if err == nil {
		err = emptyTrace(t, &out).Program(program)
	}
	if err != nil || program.Name != `\xff` {
		t.Errorf("the program is %v, %v", program, err)
	}
}
