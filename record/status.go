// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

const statusEvery = 500 * time.Millisecond

// showStatus updates one line on a terminal every half second until stop is closed, and then erases it.
func showStatus(to io.Writer, c *counters, stop <-chan struct{}) {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	var last uint64
	for {
		select {
		case <-stop:
			fmt.Fprint(to, "\r\x1b[K")
			return
		case <-tick.C:
			events := c.events.Load()
			rate := float64(events-last) / statusEvery.Seconds()
			last = events
			fmt.Fprintf(to, "\r\x1b[K%s", statusLine(events, rate, c.lost.Load(), c.bytes.Load()))
		}
	}
}

func statusLine(events uint64, rate float64, lost uint64, size int64) string {
	return fmt.Sprintf("%s events  %s/s  %s lost  %s",
		Count(events), Count(uint64(rate)), Count(lost), Size(size))
}

// Count returns a number with commas between thousands, such as 12,345.
func Count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Size returns a number of bytes in the largest of B, KiB, MiB and GiB of which it is at least one.
func Size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
}
