// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package cli

import "github.com/spf13/cobra"

func runIfGuest() {}

// platformCommands returns no commands: recording needs Linux, reading does not.
func platformCommands() []*cobra.Command { return nil }
