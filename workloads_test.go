// SPDX-License-Identifier: Apache-2.0

package main

// workloadVerdicts is what the report must say of each built-in workload, on every
// kernel, when all of them are recorded on ext4 and ext2 one after the other.
// What is not named must not be claimed at all.
var workloadVerdicts = map[string]map[string]string{}
