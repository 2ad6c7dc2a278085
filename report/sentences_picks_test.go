// SPDX-License-Identifier: Apache-2.0

package report

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/schema"
)

// sectionEnds reports whether as many opens were shown as the section said; if it did not say, all must be
// shown.
func (r *reader) sectionEnds() bool {
	if r.comm == "" {
		return true
	}
	if r.calls != r.said {
		return false
	}
	return r.shown < 0 || len(r.listed) == r.shown || r.shown == 0 && len(r.listed) == len(r.ended(r.comm))
}

// linked notes the links of the contents, which must be numbered in order.
func (r *reader) linked(list string) bool {
	links := regexp.MustCompile(`\[(.*?)\]\(#p(\d+)\)`).FindAllStringSubmatch(list, -1)
	for i, m := range links {
		if r.links = append(r.links, m[1]); m[2] != strconv.Itoa(i+1) {
			return false
		}
	}
	return true
}

// folded checks the summary of a folded open, and why it was picked.
func (r *reader) folded(m []string) bool {
	if !r.open(m[1], m[3]) {
		return false
	}
	o := r.current()
	came := "a file"
	if o.exit.Errno() != 0 {
		came = schema.ErrnoText(o.exit.Errno())
	}
	why := strings.Split(m[6], ", ")
	return m[2] == md.Element(o.enter.Name) && m[4] == came && m[5] == strconv.Itoa(o.events) &&
		!slices.ContainsFunc(why, func(why string) bool { return !r.picked(o, why) })
}

// picked reports whether the open was to be picked for that reason.
func (r *reader) picked(o *ownOpen, why string) bool {
	all := r.ended(r.comm)
	before := all[:r.at-1]
	switch took := func(o *ownOpen) uint64 { return o.exit.Time - o.enter.Time }; why {
	case "failed":
		return o.exit.Errno() != 0 && !slices.ContainsFunc(before, func(b *ownOpen) bool { return b.exit.Errno() == o.exit.Errno() })
	case "slowest":
		slower := 0
		for _, other := range all {
			if took(other) > took(o) {
				slower++
			}
		}
		return slower < 3
	case "walked a component again":
		return o.again
	case "new sequence of events":
		return !slices.ContainsFunc(before, func(b *ownOpen) bool { return b.course == o.course })
	case "few opens":
		return len(all) <= maxFew
	case "unproven", "refuted":
		for _, d := range r.doubts {
			if d.verdict == why && d.subjects[o.enter.Name] {
				return true
			}
		}
	}
	return false
}
