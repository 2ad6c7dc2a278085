// SPDX-License-Identifier: Apache-2.0

//go:build linux

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/internal/vm"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newVMCmd() *cobra.Command {
	var c vm.Config
	var files []string
	var console bool
	cmd := &cobra.Command{
		Use:   "vm --kernel KERNEL [flags] -- COMMAND [ARGS…]",
		Short: "Run a dtrec command line on another kernel, in a virtual machine",
		Long: `Boots a kernel in QEMU with dtrec as init, runs the dtrec command line in it, and brings
back its output, the file it wrote and its exit code. It needs no root and no network,
and mounts nothing on the host. KERNEL is an image (bzImage, Image, vmlinuz), a build
tree, the directory of an unpacked package, or a .deb, for x86-64 or arm64; for arm64 a
dtrec-arm64 must lie beside dtrec. The modules that the guest needs are looked for around
the kernel, or in --modules.

In the guest, /tmp and the working directory are on the filesystem of --fs, and an ext2
disk with a.txt is mounted on /mnt/loopfs. If the kernel can fold case, so can an ext4
disk on /mnt/casefold. A kernel without ext4 or without disks gets tmpfs, and a line
says so; with --fs ext4 that is an error. stdin is empty.

Ctrl-C is passed on to the command, so that a recording ends and its file is brought
back; a second one ends the guest.

Exit status: that of the command; 2 if the guest did not run it to its end.`,
		Example: `  dtrec vm --kernel "$(scripts/fetch-kernel 6.12)" -- record --workload all -o run1.pb
  dtrec vm --kernel ~/linux --file /usr/bin/git -- record -o git.pb -- git init r
  dtrec vm --kernel ~/linux -- doctor`,
		Args: takes(1, many, "a dtrec command line after '--'"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkVM(&c, files); err != nil {
				return err
			}
			if console {
				c.Console = cmd.ErrOrStderr()
			}
			return runVM(cmd, c, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.Kernel, "kernel", "", "`KERNEL` to boot")
	flags.StringVar(&c.Modules, "modules", "", "`DIR` or .deb with its modules, as modules_install lays them")
	flags.Var(oneOf(&c.FS, vm.Filesystems()...), "fs", "`NAME` of the filesystem of /tmp and the working directory: "+strings.Join(vm.Filesystems(), ", ")+" (default ext4 where the kernel can)")
	flags.StringVar(&c.Append, "append", "", "`PARAMETERS` added to the kernel's command line")
	flags.Var(oneOf(&c.Accel, vm.Accelerators()...), "accel", "`NAME` of QEMU's accelerator: "+strings.Join(vm.Accelerators(), ", ")+" (default kvm where it starts a guest, else tcg)")
	flags.IntVar(&c.SMP, "smp", 2, "`N` virtual CPUs")
	flags.Var(flagOf(&c.Memory, "1G", readMemory), "mem", "`SIZE` of its memory, as QEMU's -m takes it")
	flags.StringArrayVar(&files, "file", nil, "copy the program HOST, with the libraries it loads, or a directory into the guest, given as `HOST[:GUEST]`; may be repeated")
	flags.DurationVar(&c.Timeout, "timeout", vm.DefaultTimeout, "interrupt a run after this `TIME`, as Ctrl-C does, and stop it half a minute later")
	flags.BoolVar(&console, "console", false, "show the kernel's console on stderr")
	return cmd
}

// checkVM checks the kernel and the files of --file before anything boots, and adds the files to c.
func checkVM(c *vm.Config, files []string) error {
	if c.Kernel == "" {
		return &exitError{code: exitTrouble, err: errors.New("no --kernel given"),
			hint: `fetch one: --kernel "$(scripts/fetch-kernel 6.12)"`}
	}
	for _, f := range files {
		host, guest, _ := strings.Cut(f, ":")
		if _, err := os.Stat(host); err != nil {
			return &exitError{exitTrouble, fmt.Errorf("--file %s: %w", display(host), tracefile.Bare(err)), "name a program or a directory that is there"}
		}
		c.Files = append(c.Files, vm.File{Host: host, Guest: guest})
	}
	return nil
}

// readMemory reads a size as QEMU's -m accepts it, without the further parameters of -m.
func readMemory(s string) (string, error) {
	if !regexp.MustCompile(`^[1-9][0-9]*[kKmMgG]?$`).MatchString(s) {
		return "", &wordError{s, "not a size such as 512M or 1G"}
	}
	return s, nil
}

// runVM runs a dtrec command line in the guest. It parses the line here first, so that a wrong flag is
// found without booting.
func runVM(cmd *cobra.Command, c vm.Config, args []string) error {
	if cmd.ArgsLenAtDash() != 0 {
		return usageError(cmd, errors.New("the command line for the guest goes after '--'"))
	}
	inner, rest, err := newRootCmd(nil).Find(args)
	if err == nil && inner.Parent() == nil {
		err = fmt.Errorf("unknown command %q", args[0])
	}
	if err == nil {
		if err = inner.ParseFlags(rest); err != nil {
			err = flagError(inner, err)
		}
	}
	if err == nil {
		err = checkFlags(inner)
	}
	if err != nil {
		return &exitError{code: exitTrouble, err: fmt.Errorf("the command line for the guest: %w", err), hint: seeHelp(cmd)}
	}
	if out := inner.Flags().Lookup("output"); out != nil && out.Value.String() != "-" {
		if err := requestOutput(&c, out.Value.String(), inner.Flags()); err != nil {
			return err
		}
	}
	if c.Program, err = executable(); err != nil {
		return err
	}
	c.Args, c.Stdout, c.Stderr = args, rawOut(cmd), unfiltered(cmd.ErrOrStderr()) // unescaped: the guest's dtrec has done that
	c.Notice = func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), "dtrec: "+s) }
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	c.Signals = signals
	code, err := vm.Run(cmd.Context(), c)
	if err != nil {
		return &exitError{code: exitTrouble, err: err, hint: vmRemedy(err)}
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// requestOutput asks for the file that the command line writes to be copied out of the guest; there is none of
// /dev/null. With --rotate the guest numbers its files from 1, so the host must not have any file of such a name.
func requestOutput(c *vm.Config, path string, flags *pflag.FlagSet) error {
	force, _ := flags.GetBool("force")
	c.Outputs = []string{path}
	err := tracefile.Place{Path: path, Force: force, User: -1}.Check()
	if rotate, _ := flags.GetInt("rotate"); rotate > 0 {
		var numbers []int
		if numbers, err = tracefile.Parts(path); len(numbers) > 0 {
			err = &tracefile.RefusedError{What: "files of an earlier recording are there", Remedy: "name others with -o, or remove them"}
		}
		c.Outputs, c.Patterns = []string{tracefile.PartPattern(path)}, true
	}
	if err != nil {
		return explainOutput(display(path), err)
	}
	if isDevice(path) {
		c.Outputs, c.Patterns = nil, false
	}
	return nil
}

func vmRemedy(err error) string {
	otherwise := "look at the file it names"
	if errors.As(err, new(*vm.GuestError)) {
		otherwise = "look at the boot with --console"
	}
	const image = "name a bzImage, an Image, a build tree or a package; scripts/fetch-kernel VERSION has one of Debian's"
	return hintFor(err, otherwise,
		remedy{vm.ErrNoQEMU, "run scripts/install-qemu; elsewhere than on Debian install QEMU for that architecture, and e2fsprogs"},
		remedy{vm.ErrNotStatic, "build it with CGO_ENABLED=0 go build"},
		remedy{vm.ErrNoLibraries, "link it with -static, or take a directory with it, its loader and its libraries along"},
		remedy{vm.ErrModules, "name the modules of this very build with --modules DIR (make modules_install INSTALL_MOD_PATH=DIR)"},
		remedy{vm.ErrNotBootable, image}, remedy{os.ErrNotExist, image},
		remedy{vm.ErrLacks, "build one of the options in, or name the modules with --modules DIR; --fs tmpfs needs no disk"},
		remedy{vm.ErrNoProgram, "build it: make dtrec-arm64, or CGO_ENABLED=0 GOARCH=arm64 go build -o dtrec-arm64"},
		remedy{vm.ErrTimeout, "give it longer with --timeout, or look at it with --console"},
		remedy{context.Canceled, "what the guest did is lost; once it is up, one Ctrl-C ends the recording in it, and the file is brought back"})
}
