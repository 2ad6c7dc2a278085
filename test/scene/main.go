// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Scene is init and job of a guest in the kernel tests: it runs errands, some of which
// are scenes. A scene has several processes, and dtrec, taken along as /dtrec, record
// them, and prints as JSON what was done: the tests hold the traces against that.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/dtrec/dtrec/internal/vm"
)

func main() {
	runtime.LockOSThread() // an actor's main thread does all it is told to
	if vm.InGuest() {
		vm.Init()
	}
	switch os.Args[1] {
	case "actor":
		act(os.Args[2:])
		return
	case "errands":
		errands(os.Args[2], os.Args[3])
		return
	}
	play, ok := map[string]func(dir string) any{
		"lifetime": lifetime,
		"loss":     loss,
		"rebuilt":  rebuilt,
		"record":   recording,
		"rotation": rotation,
		"target":   target,
	}[os.Args[1]]
	if !ok {
		fail(fmt.Errorf("no scene %q", os.Args[1]))
	}
	check(os.MkdirAll(os.Args[2], 0o755))
	told := play(os.Args[2])
	check(json.NewEncoder(os.Stdout).Encode(told))
}

// check ends the program when something went wrong that is no business of the test.
func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "scene: %v\n%s", err, debug.Stack())
	os.Exit(99)
}
