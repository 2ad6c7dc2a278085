// SPDX-License-Identifier: Apache-2.0

// Command release builds what is published of dtrec: for amd64 and arm64 a static archive, a .deb and an
// .rpm, and the checksums of all. The same commit gives the same bytes, whoever builds it, wherever and
// whenever: paths are trimmed, and every time is that of the commit.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// What the bytes depend on besides the commit: the Go release, which compiles and compresses, and the tool
// that makes the packages.
const (
	goRelease = "go1.26.8"
	nfpm      = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4"
)

func main() {
	out := flag.String("o", "dist", "`DIRECTORY` to fill")
	arches := flag.String("arch", "amd64,arm64", "`ARCHITECTURES`, as Go names them")
	formats := flag.String("package", "deb,rpm", "`FORMATS` of packages beside the archives")
	flag.Parse()
	if err := release(*out, strings.Split(*arches, ","), strings.Split(*formats, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release fills the directory out from the checkout in the working directory.
func release(out string, arches, formats []string) error {
	if runtime.Version() != goRelease {
		return fmt.Errorf("this is %s: releases are made with %s: run make release", runtime.Version(), goRelease)
	}
	date, err := commitTime()
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(out, 0o755)); err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "dtrec-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, arch := range arches {
		s := stage{dir: filepath.Join(work, arch), arch: arch, date: date}
		if err := s.fill(); err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		if err := s.publish(out, formats); err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
	}
	return writeSums(out)
}

// commitTime returns when the commit that is built was made.
func commitTime() (time.Time, error) {
	text, err := output(exec.Command("git", "log", "-1", "--format=%ct"))
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}

// output runs a command and returns its output without surrounding space.
func output(cmd *exec.Cmd) (string, error) {
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
