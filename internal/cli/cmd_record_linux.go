// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/internal/doctor"
	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/record"
	"github.com/dtrec/dtrec/record/workload"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

func newRecordCmd() *cobra.Command {
	var c record.Config
	cmd := &cobra.Command{
		Use:   "record [-o FILE] (--workload NAMES | -p PID | --comm NAME | --cgroup DIR | -a | -- CMD [ARG]...)",
		Short: "Record what the dcache does with path names",
		Long: `Records the dcache's work for a command and everything it starts, for built-in
workloads, or for tasks that run already. This takes root, or CAP_BPF and CAP_PERFMON.
Under sudo the command runs as the invoking user, who also owns the file. The file holds
kernel addresses, so its mode is 0600. A trace of the same name is replaced, another file
only with --force. A link, FIFO or device is refused (except /dev/null), and so is
another user's file in a directory like /tmp. Once attached, dtrec gives up the
capabilities it no longer needs. Its probes leave the kernel within seconds of its end,
by a process 'dtrec detach'.

Targets add up: each process of -p and what it starts from then on, tasks while they
have the name --comm, tasks below --cgroup, the command and what it starts, or with -a
everything. dtrec itself is no target: of it there is at most what it takes from the
cache, as when it reaps the command.

The recording of a command ends with it, even if it leaves a daemon behind: use -p or
--cgroup for that. Ctrl-C goes to the command, from the terminal: dtrec does nothing then.
SIGTERM, SIGQUIT and SIGHUP are passed on to it. At a limit, or when the disk is full, the
recording ends and keeps what it has, and the command runs on. A recording without a command says on stderr when it has begun, and
ends on Ctrl-C, SIGTERM, SIGQUIT, SIGHUP, --duration or a limit. Neither ends by a SIGHUP
or SIGINT that is ignored from the start, as under nohup.

With --rotate N, the limits --duration, --max-size and --max-events end a file, and the
next event begins another: nothing is lost in between. -o run.pb makes run.000001.pb and
so on, continuing after the highest number there is. The last N are kept, the oldest
removed (only files that --rotate made). Each is a trace of its own: a claim that needs
an event of the file before is unproven. A file may pass SIZE by 2,048 events.

Exit status: the command's own (128+n for signal n, 127 not found, 126 not executable);
2 if the recording failed.`,
		Example: `  sudo dtrec record -o run1.pb -- cat /etc/hostname
  sudo dtrec record --workload all -o run1.pb
  sudo dtrec record -p 1234 --duration 10s
  sudo dtrec record -a -o /var/log/dtrec/host.pb --max-size 100M --duration 1h --rotate 48`,
		RunE: func(cmd *cobra.Command, args []string) error { return runRecord(cmd, &c, args) },
	}
	registerRecord(cmd, &c)
	return cmd
}

// newDetachCmd makes the hidden command 'dtrec detach N', which record starts as a child. The child
// inherits N descriptors of the probes' links, from record.FirstLink on. It waits for the end of its
// stdin, by which time record has closed its own, and closes them in order. Each close waits for the
// kernel, about a tenth of a second (see detach in package record), which record need not do.
func newDetachCmd() *cobra.Command {
	return &cobra.Command{Use: "detach N", Hidden: true, Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		for i := range n {
			_ = unix.Close(record.FirstLink + i)
		}
		return nil
	}}
}

// recordingLine is printed when the recording has begun: no event after it is missed.
const recordingLine = "dtrec: recording; Ctrl-C ends it"

func registerRecord(cmd *cobra.Command, c *record.Config) {
	flags := cmd.Flags()
	flags.SetInterspersed(false)
	flags.StringVarP(&c.Output, "output", "o", "dtrec.pb", "write the trace to `FILE`; - is stdout")
	flags.StringSliceVar(&c.Workloads, "workload", nil, "run built-in workloads: all, or `NAMES` of "+strings.Join(workload.Names(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("workload", cobra.FixedCompletions(append(workload.Names(), "all"), cobra.ShellCompDirectiveNoFileComp))
	flags.VarP(listOf(&c.Targets.PIDs, readPID), "pid", "p", "record the process `PID` and what it starts")
	flags.StringVar(&c.Targets.Comm, "comm", "", "record tasks of this `NAME` (at most 15 bytes)")
	flags.StringVar(&c.Targets.Cgroup, "cgroup", "", "record tasks below the cgroup v2 directory `DIR`")
	flags.BoolVarP(&c.Targets.All, "all", "a", false, "record every task")
	flags.StringVar(&c.User, "user", "", "run the command as `USER` (name or uid)")
	flags.DurationVar(&c.Duration, "duration", 0, "end after this `TIME`, e.g. 10s")
	flags.Var(flagOf(&c.MaxBytes, "", readSize), "max-size", "end when the file has `SIZE` bytes, e.g. 100M")
	flags.Uint64Var(&c.MaxEvents, "max-events", 0, "end after `N` events")
	flags.IntVar(&c.Rotate, "rotate", 0, "begin the next file at a limit, and keep the last `N`")
	addForceFlag(cmd, &c.Force)
	addAttachFlag(cmd, &c.Attach)
	flags.Var(listOf(&c.Only, readRole, roleNames()...), "only", "leave out every role but these `ROLES` and those no recording is without")
	flags.Var(flagOf(&c.RingBytes, "16M", readBuffer), "buffer", "`SIZE` of the ring buffer, a power of two")
	flags.Uint32Var(&c.WatchLimit, "watch", bpf.DefaultWatchLimit, "watch at most `N` dentries")
}

func runRecord(cmd *cobra.Command, c *record.Config, args []string) error {
	c.Command = args
	if err := checkRecord(cmd.Flags(), c); err != nil {
		return usageError(cmd, err)
	}
	c.Writer = "dtrec " + version
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	if isTerminal(os.Stderr) {
		c.Status = os.Stderr
	}
	c.Begun = func() { fmt.Fprintln(cmd.ErrOrStderr(), recordingLine) }
	var err error
	if c.Self, err = executable(); err != nil {
		return err
	}
	result, err := record.Run(cmd.Context(), *c)
	if result.EndedBy != "" {
		summarize(cmd, c, result)
	}
	if err != nil {
		return explainRecord(cmd, err)
	}
	if result.ExitCode != 0 {
		return &exitError{code: result.ExitCode}
	}
	return nil
}

// executable returns the path of dtrec, which starts itself again.
func executable() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", &exitError{exitTrouble, fmt.Errorf("find dtrec itself: %w", err), "mount /proc, which a chroot needs of its own: mount -t proc proc /proc"}
	}
	return path, nil
}

// checkRecord refuses combinations of flags that make no sense.
func checkRecord(flags *pflag.FlagSet, c *record.Config) error {
	if len(c.Command) > 0 && len(c.Workloads) > 0 {
		return errors.New("a command and --workload exclude each other")
	}
	if c.User != "" && len(c.Command) == 0 {
		return errors.New("--user: takes a command, '-- CMD', which runs as that user")
	}
	for _, pid := range c.Targets.PIDs {
		if err := checkProcess(pid); err != nil {
			return err
		}
	}
	if len(c.Targets.Comm) > 15 {
		return fmt.Errorf("--comm %s: a task's name has at most 15 bytes", display(c.Targets.Comm))
	}
	if flags.Changed("rotate") {
		return checkRotate(c)
	}
	return nil
}

// smallestPart is the least --max-size in bytes of a file under --rotate: more than its header and
// index take.
const smallestPart = 64 << 10

func checkRotate(c *record.Config) error {
	switch {
	case c.Rotate < 2:
		return fmt.Errorf("--rotate %d: at least 2 are kept, the one written and the one before it", c.Rotate)
	case c.Duration == 0 && c.MaxBytes == 0 && c.MaxEvents == 0:
		return errors.New("--rotate: takes --max-size, --duration or --max-events, at which the next file begins")
	case c.Output == "-":
		return errors.New("--rotate: takes a file, not stdout")
	case isDevice(c.Output):
		return fmt.Errorf("--rotate: takes a file, not the device %s", display(c.Output))
	case c.MaxBytes > 0 && c.MaxBytes < smallestPart:
		return errors.New("--rotate: takes a --max-size of at least 64K")
	}
	return nil
}

// isDevice reports whether there is a device at the path, such as /dev/null.
func isDevice(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeDevice != 0
}

// checkProcess returns an error if there is no process with that id, or if it is the id of a thread.
// Events are matched by process id, so a thread's id would record nothing.
func checkProcess(pid uint32) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--pid %d: no such process", pid)
	}
	_, rest, ok := strings.Cut(string(status), "\nTgid:\t")
	if tgid, _, _ := strings.Cut(rest, "\n"); ok && tgid != fmt.Sprint(pid) {
		return fmt.Errorf("--pid %d: a thread of process %s: name that", pid, tgid)
	}
	return nil
}

func addAttachFlag(cmd *cobra.Command, mode *bpf.Mode) {
	cmd.Flags().Var(flagOf(mode, "", readMode), "attach", "attach to kernel functions `HOW`: fentry or kprobe only; by default fentry first, kprobe.multi where the kernel preempts")
}

func readMode(how string) (bpf.Mode, error) {
	switch how {
	case "fentry":
		return bpf.FentryMode, nil
	case "kprobe":
		return bpf.KprobeMode, nil
	}
	return bpf.AnyMode, &wordError{how, "not fentry or kprobe"}
}

func readBuffer(s string) (uint32, error) {
	n, err := readSize(s)
	if err != nil || n < 4096 || n > 1<<30 || n&(n-1) != 0 {
		return 0, &wordError{s, "not a power of two from 4K to 1G"}
	}
	return uint32(n), nil
}

// summarize reports on stderr what was recorded.
func summarize(cmd *cobra.Command, c *record.Config, r record.Result) {
	name := display(r.Output)
	switch {
	case c.Output == "-":
		name = "stdout"
	case r.Files > 1:
		name = fmt.Sprintf("%d files, the last of them %s", r.Files, name)
		if r.Files > c.Rotate {
			name += fmt.Sprintf("; %d are kept", c.Rotate)
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: %s events, %s lost, %s in %s\n",
		record.Count(r.Events), record.Count(r.Lost), record.Size(r.Bytes), name)
	if r.Unreadable > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: the names of %s events could not be read\n", record.Count(r.Unreadable))
	}
	if r.StillRunning > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: the recording ended with the command; started by it and running on: %s\n", processes(r.StillRunning))
	}
	if r.EndedBy == "limit" || r.EndedBy == "duration" {
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: the recording ended by its %s\n", r.EndedBy)
	}
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return record.Count(uint64(n)) + " processes"
}

// explainRecord adds the exit code and the remedy to an error of a recording.
func explainRecord(cmd *cobra.Command, err error) error {
	exit := &exitError{code: exitTrouble, err: err, hint: seeHelp(cmd)}
	var (
		missing *bpf.MissingError
		command *record.CommandError
		stopped *record.InterruptedError
		lost    *tracefile.LostError
		size    *bpf.SizeError
		need    *workload.NeedError
		unknown *workload.UnknownError
	)
	switch {
	case errors.Is(err, record.ErrTerminal):
		exit.err, exit.hint = record.ErrTerminal, "redirect it, or name a file with -o"
	case errors.As(err, &lost) && lost.Kept > 0 && !errors.Is(err, syscall.EPIPE):
		exit.hint = fmt.Sprintf("the %s events written so far are kept and can be read", record.Count(lost.Kept))
	case errors.As(err, &lost), errors.As(err, new(*tracefile.RefusedError)):
		exit.hint = outputHint(err)
	case errors.As(err, &size):
		exit.hint = "give " + size.Flag + " a smaller value"
	case errors.As(err, &command):
		exit.code, exit.err = command.Code, command
		exit.hint = "check its name and PATH"
		if command.Code == 126 {
			exit.hint = "check that it is a program and may be executed"
		}
	case errors.As(err, &stopped):
		exit.code, exit.err, exit.hint = stopped.Code, stopped, "record again"
	case errors.As(err, &missing):
		exit.hint = doctor.Remedy(missing.Lack)
	case errors.As(err, &need):
		exit.hint = need.Remedy
	case errors.As(err, &unknown):
		exit.hint = "'dtrec workload' lists them"
	case errors.Is(err, record.ErrNoTarget):
		exit.hint = "add '-- CMD', --workload, -p, --comm, --cgroup or -a; " + seeHelp(cmd)
	}
	return exit
}
