// SPDX-License-Identifier: Apache-2.0

// Profile makes the profile that the compiler is given for dtrec (go build -pgo). It profiles the commands
// that read traces on two recordings of the same work, each command for the same time. Recording is not in
// it, although a profile of its own would save the recorder 1 % of its instructions. See bench/README.md.
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
	debug.SetGCPercent(1200) // as in a command of dtrec, see setGCPercent in internal/cli/memory.go
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

// commands runs each command that reads a trace, again and again, for the given time each.
func commands(each time.Duration, trace, second string) error {
	for _, line := range [][]string{
		{"replay", trace}, {"replay", "--format", "json", trace}, {"check", trace}, {"report", trace}, {"summary", trace},
		{"top", trace}, {"diff", trace, second},
	} {
		for start := time.Now(); time.Since(start) < each; {
			var said bytes.Buffer
			// check exits with 1 if something is refuted, diff if something differs.
			if code := cli.Run(line, strings.NewReader(""), io.Discard, &said); code > 1 {
				return fmt.Errorf("dtrec %s: exit %d: %s", strings.Join(line, " "), code, said.String())
			}
		}
	}
	return nil
}

// write writes the profile with only what the compiler needs: functions, lines and counts, without paths,
// addresses or times of this machine.
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
