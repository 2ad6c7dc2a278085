// SPDX-License-Identifier: Apache-2.0

//go:build linux && !amd64

package main

const low = 0

// compat does nothing, as it makes 32-bit calls on amd64 only.
func compat(string) {}
