// SPDX-License-Identifier: Apache-2.0

// Command noinit is a program that cannot be a guest's init, because it does not call vm.Init.
package main

func main() {}
