// SPDX-License-Identifier: Apache-2.0

// Dtrec proves, with numbers from a running kernel, what happened to a path name inside the dcache. A
// trace is recorded once, with privileges; anyone can read it afterwards.
package main

import (
	"os"

	"github.com/dtrec/dtrec/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
