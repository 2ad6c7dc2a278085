// SPDX-License-Identifier: Apache-2.0

// Profile makes the profile that the compiler is given for dtrec (go build -pgo): what the commands that read traces do with two
// recordings of one work, each for the same time. Of a recorder nothing is in it: by its own profile that takes 1 % fewer
// instructions. See bench/README.md.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/dtrec/dtrec/internal/cli"
	"github.com/google/pprof/profile"
)

func main() {
	out := flag.String("o", "dtrec.pgo", "`FILE` that the profile goes to")
	each := flag.Duration("each", 5*time.Second, "how long each command is run")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "profile: two recordings are needed: see bench/README.md")
		os.Exit(2)
	}
	if err := run(*out, *each, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		os.Exit(1)
	}
}

func run(out string, each time.Duration, trace, second string) error {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(1200) // as in a command, see pace in internal/cli/memory.go
	var samples bytes.Buffer
	if err := pprof.StartCPUProfile(&samples); err != nil {
		return err
	}
	err := commands(each, trace, second)
	pprof.StopCPUProfile()
	if err != nil {
		return err
	}
	p, err := profile.Parse(&samples)
	if err != nil {
		return err
	}
	return write(out, p)
}

// commands runs each command that reads a trace to its end, again and again.
func commands(each time.Duration, trace, second string) error {
	for _, line := range [][]string{
		{"replay", trace}, {"replay", "--format", "json", trace}, {"check", trace}, {"report", trace}, {"summary", trace},
		{"top", trace}, {"diff", trace, second},
	} {
		for start := time.Now(); time.Since(start) < each; {
			var said bytes.Buffer
			// A check exits with 1 where something is refuted, a diff where something differs.
			if code := cli.Run(line, strings.NewReader(""), io.Discard, &said); code > 1 {
				return fmt.Errorf("dtrec %s: exit %d: %s", strings.Join(line, " "), code, said.String())
			}
		}
	}
	return nil
}

// write leaves in the profile what the compiler asks for, functions, lines and how often: no path, address or time of this machine.
func write(name string, p *profile.Profile) error {
	if err := p.Aggregate(true, true, false, true, false, false); err != nil {
		return err
	}
	for _, f := range p.Function {
		f.Filename = ""
	}
	for _, l := range p.Location {
		l.Mapping = nil
	}
	p.Mapping, p.Comments, p.TimeNanos, p.DurationNanos = nil, nil, 0, 0
	p, err := profile.Merge([]*profile.Profile{p})
	if err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(p.Write(f), f.Close())
}
