// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// No file makes dtrec take more than 256 MiB. What is kept of one has bounds of its own;
// these are for what those do not foresee.
const (
	memoryLimit = 160 << 20 // of the whole process, which the collector keeps to
	liveLimit   = 144 << 20 // of what a reading may keep: beyond, it ends
	lookEvery   = 2048      // records from one look to the next
	calmHeap    = 40 << 20  // see pace
	mostPercent = 1200      // of the 4 MiB that the collector takes for the least, the first time
	longTrace   = 1 << 20   // records
	longPercent = 200
	smallHeap   = 8 << 20 // of which a collection costs next to nothing: there it waits for half as much
)

var paced atomic.Uint64 // percent that the collector waits for

var errMemory = errors.New("it takes more memory than dtrec gives to one reading")

// memoryLimited says that this process has the limits: dtrec itself, and no test of it.
var memoryLimited = false

// limitMemory sets them, unless GOMEMLIMIT has.
func limitMemory() {
	pace(0, 0)
	if memoryLimited = true; debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// tooLarge reports whether what is kept after so many records has come to its limit; where it is little, the collector waits.
func tooLarge(records uint64) bool {
	if !memoryLimited {
		return false
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	pace(live[0].Value.Uint64(), records)
	return live[0].Value.Uint64() > liveLimit
}

// pace has the collector wait until the heap is of calmHeap, or twice what is kept, unless GOGC says otherwise. What a
// reading keeps is little mostly: to collect it, and to watch what is written meanwhile, was a fifth of the time. Of a
// long trace the heap may not go on to grow: there it waits until it is three times what is kept, twice where that is little.
func pace(live, records uint64) {
	percent := max(100, min(mostPercent, 100*calmHeap/max(live, 1)-100))
	if records >= longTrace {
		if percent = longPercent; live < smallHeap {
			percent /= 2
		}
	}
	if os.Getenv("GOGC") == "" && paced.Swap(percent) != percent {
		debug.SetGCPercent(int(percent))
	}
}
