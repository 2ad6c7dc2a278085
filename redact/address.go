// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
)

// ErrTooMuch means that a trace has more different addresses or short names than can be kept distinct.
var ErrTooMuch = errors.New("it has more different addresses or names than can be kept apart")

// maxPages bounds the pages that are kept distinct. They take about 100 MB.
const maxPages = 1 << 20

const (
	pageShift  = 12
	firstPage  = 0xffff800000000000 >> pageShift // page of the first new address
	errors4095 = ^uint64(4095)                   // the last 4095 addresses are error values
)

// addresses maps each page to a new place. Neighbouring pages stay neighbours, since an object may cross
// their border; distances between other pages are lost.
type addresses struct {
	pages map[uint64]uint64 // by page: its new place, once assign has run
	last  uint64
}

// isNoAddress reports whether a value is not an address: NULL, an error value, or a small number.
func isNoAddress(a uint64) bool { return a>>pageShift == 0 || a > errors4095 }

func (p *addresses) add(a uint64) error {
	page := a >> pageShift
	if page == p.last || isNoAddress(a) {
		return nil
	}
	p.last = page
	if p.pages[page] = 0; len(p.pages) > maxPages {
		return ErrTooMuch
	}
	return nil
}

// assign assigns new places to the runs of neighbouring pages, in random order.
func (p *addresses) assign() {
	var runs [][]uint64
	for _, page := range slices.Sorted(maps.Keys(p.pages)) {
		if n := len(runs) - 1; n >= 0 && runs[n][len(runs[n])-1]+1 == page {
			runs[n] = append(runs[n], page)
		} else {
			runs = append(runs, []uint64{page})
		}
	}
	rand.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	next := uint64(firstPage)
	for _, run := range runs {
		for _, page := range run {
			p.pages[page] = next
			next++
		}
		next++ // an unused page, so that separate runs do not become neighbours
	}
}

func (p *addresses) redacted(a uint64) uint64 {
	if isNoAddress(a) {
		return a
	}
	return p.pages[a>>pageShift]<<pageShift | a&(1<<pageShift-1)
}

// numbers maps values to 1, 2, … in the order of their first occurrence; 0 stays 0.
type numbers map[uint32]uint32

func (n numbers) number(v uint32) uint32 {
	if v == 0 {
		return 0
	}
	if n[v] == 0 {
		n[v] = uint32(len(n)) + 1
	}
	return n[v]
}
