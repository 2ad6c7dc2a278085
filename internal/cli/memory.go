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

// No input makes dtrec take more than 256 MiB. What is kept of a trace has bounds of its own,
// elsewhere; these limits are for what those do not foresee.
const (
	memoryLimit = 160 << 20 // soft limit of the whole process (debug.SetMemoryLimit)
	liveLimit   = 144 << 20 // live heap beyond which a reading ends with errMemory
	checkEvery  = 2048      // records between two checks
	calmHeap    = 40 << 20  // see setGCPercent
	maxPercent  = 1200      // cap on GOGC: with Go's least heap, 4 MiB at 100, the first collection is at 48 MiB
	longTrace   = 1 << 20   // records from which longPercent applies
	longPercent = 200
	smallHeap   = 8 << 20 // live heap that costs next to nothing to collect: below it, half of longPercent
)

var lastPercent atomic.Uint64 // the GOGC that was set last

var errMemory = errors.New("it takes more memory than dtrec gives to one reading")

// memoryLimited is true if this process has the limits: in dtrec itself, not in its tests.
var memoryLimited = false

// limitMemory sets the limits, unless GOMEMLIMIT is set.
func limitMemory() {
	setGCPercent(0, 0)
	if memoryLimited = true; debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// tooLarge reports whether the live heap has passed liveLimit after so many records. It also adapts the
// pace of the collector.
func tooLarge(records uint64) bool {
	if !memoryLimited {
		return false
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	setGCPercent(live[0].Value.Uint64(), records)
	return live[0].Value.Uint64() > liveLimit
}

// setGCPercent sets GOGC so that the next collection is when the heap reaches calmHeap, or twice the live heap
// if that is more; the environment variable GOGC overrides it. Most readings keep little: collecting
// that, and the write barriers meanwhile, took a fifth of the time. In a long trace the heap must not
// keep growing: from longTrace records on, the next collection is at three times the live heap, or
// twice if it is below smallHeap.
func setGCPercent(live, records uint64) {
	percent := max(100, min(maxPercent, 100*calmHeap/max(live, 1)-100))
	if records >= longTrace {
		if percent = longPercent; live < smallHeap {
			percent /= 2
		}
	}
	if os.Getenv("GOGC") == "" && lastPercent.Swap(percent) != percent {
		debug.SetGCPercent(int(percent))
	}
}
