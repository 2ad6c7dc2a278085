// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/dtrec/dtrec/internal/vm"
)

// boot runs the recordings in one guest. accel is as in vm.Config. Afterwards what the guest recorded is in
// the bench's directory, in a directory named after the part.
func (b *bench) boot(ctx context.Context, part, accel string, smp int, list []recording) ([]result, error) {
	if err := os.Chdir(b.dir); err != nil { // outputs are brought back to relative paths
		return nil, err
	}
	if err := os.RemoveAll(outDir); err != nil {
		return nil, err
	}
	if err := writeJSON(planFile, list); err != nil {
		return nil, err
	}
	files, err := b.files(list)
	if err != nil {
		return nil, err
	}
	exit, err := vm.Run(ctx, vm.Config{
		Kernel: b.kernel, Program: b.self, Args: []string{"guest", planFile}, Files: files,
		Outputs: []string{outDir}, SMP: smp, Memory: "3G", Accel: accel, Timeout: time.Hour,
		Env:    []string{"GODEBUG=asyncpreemptoff=1", "PERF_CONFIG=/dev/null"},
		Stdout: os.Stderr, Stderr: os.Stderr,
	})
	if err != nil {
		return nil, err
	}
	if exit != 0 {
		return nil, fmt.Errorf("the guest's job: exit code %d", exit)
	}
	if err := errors.Join(os.RemoveAll(part), os.Rename(outDir, part)); err != nil {
		return nil, err
	}
	return b.results(part)
}

// results returns the results of a part that was recorded.
func (b *bench) results(part string) (results []result, err error) {
	return results, readJSON(filepath.Join(b.dir, part, resultsFile), &results)
}

// path returns where a recording is on the host.
func (b *bench) path(part string, r recording) string {
	return filepath.Join(b.dir, part, r.Name+"."+toolNamed(r.Tool).file)
}

// files returns the plan and the programs that the recordings need. Their libraries go with them.
func (b *bench) files(list []recording) ([]vm.File, error) {
	files := []vm.File{{Host: filepath.Join(b.dir, planFile), Guest: planFile},
		{Host: b.self, Guest: workProgram}, {Host: b.dtrec, Guest: "/bin/dtrec"}}
	seen := map[string]bool{"dtrec": true, "": true}
	for _, r := range list {
		program := toolNamed(r.Tool).program
		if seen[program] {
			continue
		}
		seen[program] = true
		path, err := exec.LookPath(program)
		if err != nil {
			return nil, fmt.Errorf("%w: run scripts/install-peers", err)
		}
		files = append(files, vm.File{Host: path, Guest: "/usr/bin/" + program})
	}
	return files, nil
}
