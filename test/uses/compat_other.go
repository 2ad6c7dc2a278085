// SPDX-License-Identifier: Apache-2.0

//go:build linux && !amd64

package main

const low = 0

// compat: this machine has no other system calls.
func compat(string) {}
