// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Scene is the init and the job of a guest in the kernel tests. It runs errands, some of which are
// scenes. In a scene several processes work while dtrec, copied into the guest as /dtrec, records them.
// A scene prints what was done as JSON, which the tests compare with the traces.
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
	runtime.LockOSThread() // an actor does everything on its main thread
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
	result := play(os.Args[2])
	check(json.NewEncoder(os.Stdout).Encode(result))
}

// check ends the program on an error that is not part of the test.
func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "scene: %v\n%s", err, debug.Stack())
	os.Exit(99)
}
