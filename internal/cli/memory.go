// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"math"
	"runtime/debug"
	"runtime/metrics"
)

// No file makes dtrec take more than 256 MiB. What is kept of one has bounds of its own;
// these are for what those do not foresee.
const (
	memoryLimit = 160 << 20 // of the whole process, which the collector keeps to
	liveLimit   = 144 << 20 // of what a reading may keep: beyond, it ends
	lookEvery   = 8192      // records from one look to the next
)

var errMemory = errors.New("it takes more memory than dtrec gives to one reading")

// memoryLimited says that this process has the limits: dtrec itself, and no test of it.
var memoryLimited = false

// limitMemory sets them, unless GOMEMLIMIT has.
func limitMemory() {
	if memoryLimited = true; debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// tooLarge reports whether what is kept has come to its limit.
func tooLarge() bool {
	if !memoryLimited {
		return false
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return live[0].Value.Uint64() > liveLimit
}
