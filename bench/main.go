// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dtrec/dtrec/internal/vm"
)

func main() {
	if vm.InGuest() {
		vm.Init()
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run does the host's part. Otherwise the first word says which part the program has started itself for: the
// job in the guest, the work that is recorded, a reader of one trace, or the process that runs a reader.
func run(args []string) error {
	if len(args) > 1 {
		switch args[0] {
		case "guest":
			return guest(args[1])
		case "work":
			return work(args[1])
		case "iterate":
			return iterate(args[1])
		case "once":
			return runOnce(args[1:])
		}
	}
	return runHost(args)
}

// bench holds the options of one run of the program on the host.
type bench struct {
	self, dtrec string // absolute paths
	kernel      string
	dir         string // for recordings and results, which are kept
	rounds      int    // rounds of the work per recording
	long        int    // rounds of the long run
	repeat      int    // how often each reading is done, and each recording on two CPUs
	alone       bool   // record with dtrec only
	bars        []bar
}

// benchPart is a part that can be measured separately.
type benchPart struct {
	name    string
	measure func(*bench, context.Context) ([]*table, error)
}

// parts lists the parts in the order in which they are measured.
var parts = []benchPart{
	{"record", (*bench).record},
	{"loss", (*bench).loss},
	{"read", (*bench).read},
}

func runHost(args []string) error {
	b := &bench{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&b.dtrec, "dtrec", "dtrec", "the `PROGRAM` measured, static")
	flags.StringVar(&b.kernel, "kernel", "", "`VMLINUZ` to record on")
	flags.StringVar(&b.dir, "dir", "", "`DIRECTORY` of recordings and results")
	flags.IntVar(&b.rounds, "rounds", 24_000, "rounds of five system calls per recording")
	flags.IntVar(&b.long, "long", 110_000, "rounds of the long run")
	flags.IntVar(&b.repeat, "repeat", 5, "how often each reading, and each recording on two CPUs")
	flags.BoolVar(&b.alone, "alone", false, "record with dtrec only, not with its peers: what a change to it costs")
	part := flags.String("part", "record,loss,read", "measure these `PARTS`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if b.kernel == "" || b.dir == "" || flags.NArg() > 0 {
		return errors.New("-kernel and -dir are needed, and nothing else: run make bench")
	}
	for _, name := range strings.Split(*part, ",") {
		if !slices.ContainsFunc(parts, func(p benchPart) bool { return p.name == name }) {
			return fmt.Errorf("no part %q: there are record, loss and read", name)
		}
	}
	if err := b.resolve(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return b.measure(ctx, os.Stdout, *part)
}

// resolve makes all paths absolute and creates the directory.
func (b *bench) resolve() (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dtrec, err = exec.LookPath(b.dtrec); err != nil {
		return fmt.Errorf("the program to measure: %w: run make", err)
	}
	for _, path := range []*string{&b.dtrec, &b.kernel, &b.dir} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return os.MkdirAll(b.dir, 0o755)
}

// measure runs the wanted parts and prints each part's tables when it is done, and the bars at the end.
func (b *bench) measure(ctx context.Context, out io.Writer, wanted string) error {
	began := time.Now()
	release, err := vm.KernelRelease(b.kernel)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, Linux %s in the guest\n\n", began.Format(time.DateOnly), release)
	for _, program := range []string{b.dtrec, "perf", "trace-cmd", "bpftrace"} {
		fmt.Fprintf(out, "- %s\n", version(program))
	}
	var failed []error
	for _, p := range parts {
		if !slices.Contains(strings.Split(wanted, ","), p.name) {
			continue
		}
		tables, err := p.measure(b, ctx)
		for _, t := range tables {
			t.print(out)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	barTable(b.bars).print(out)
	fmt.Fprintf(out, "\n%s in all.\n", time.Since(began).Round(time.Second))
	return errors.Join(failed...)
}
