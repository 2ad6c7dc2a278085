// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
)

// ErrTooMuch says that a trace has more different addresses or short names than are kept apart.
var ErrTooMuch = errors.New("it has more different addresses or names than can be kept apart")

// maxPages bounds the pages that are kept apart: about 100 MB.
const maxPages = 1 << 20

const (
	pageShift  = 12
	firstPage  = 0xffff800000000000 >> pageShift // where the new addresses begin
	errors4095 = ^uint64(4095)                   // the last 4095 addresses are errors
)

// addresses gives pages other places. Pages that are neighbours in the trace stay so,
// since an object may lie across their border; what was far apart says nothing any more.
type addresses struct {
	pages map[uint64]uint64 // to its new place, when placed
	last  uint64
}

func newAddresses() *addresses { return &addresses{pages: make(map[uint64]uint64)} }

// stays reports whether a value is no address: NULL, an error, or a small number.
func stays(a uint64) bool { return a>>pageShift == 0 || a > errors4095 }

func (p *addresses) see(a uint64) error {
	page := a >> pageShift
	if page == p.last || stays(a) {
		return nil
	}
	p.last = page
	if p.pages[page] = 0; len(p.pages) > maxPages {
		return ErrTooMuch
	}
	return nil
}

// place puts the runs of neighbouring pages somewhere, in an order that only chance knows.
func (p *addresses) place() {
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
		next++ // a page that nothing lies in, so that runs are none
	}
}

func (p *addresses) of(a uint64) uint64 {
	if stays(a) {
		return a
	}
	return p.pages[a>>pageShift]<<pageShift | a&(1<<pageShift-1)
}

// numbers counts what is met, from 1; 0 stays 0.
type numbers map[uint32]uint32

func (n numbers) of(v uint32) uint32 {
	if v == 0 {
		return 0
	}
	if n[v] == 0 {
		n[v] = uint32(len(n)) + 1
	}
	return n[v]
}
