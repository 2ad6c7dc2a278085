// SPDX-License-Identifier: Apache-2.0

package page

import (
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// scope is the open that a tree is drawn of. A tree whose open is not in the run has
// no events to stand for its lines.
type scope struct {
	window *window
	from   int // the first event on the line before, an index
	first  int // the first event on the line at hand; −1 for none yet
}

const beforeTheLineAbove = "it was before what stands above it"

// line is told of each line: what stands on it was not before what stands above it.
func (s *scope) line() { s.from, s.first = max(s.from, s.first), -1 }

// find returns the first event that fits, of those not before the line above, and
// whether there is one; ordered is false where it is before that line.
func (s *scope) find(fits func(e *seen) bool) (e *seen, ordered bool) {
	all := s.events()
	for i := s.from; i < len(all); i++ {
		if fits(&all[i]) {
			if s.first < 0 || i < s.first {
				s.first = i
			}
			return &all[i], true
		}
	}
	for i := range all[:min(s.from, len(all))] {
		if fits(&all[i]) {
			return &all[i], false
		}
	}
	return nil, false
}

func (s *scope) events() []seen {
	if s.window == nil {
		return nil
	}
	return s.window.events
}

// isBranch reports whether a line is one of a tree.
func isBranch(text string) bool { return strings.ContainsAny(text, "├└│") }

// codeBlock judges the lines of a code block: those of a tree against the open at its
// root, others as prose.
func (j *judge) codeBlock(lines []line) {
	if strings.HasPrefix(lines[0].text, firstStep) {
		j.steps(lines)
		return
	}
	uncited := func(l line) bool { return isBranch(l.text) && len(citesOf(l.text)) == 0 }
	var tree *scope
	if slices.ContainsFunc(lines, uncited) {
		tree = j.treeOf(lines)
	}
	for i := range lines {
		l := &lines[i]
		if j.tree = nil; uncited(*l) && tree != nil {
			j.tree = tree
			tree.line()
		}
		j.statements(l)
		j.tree = nil
	}
}

// treeOf finds the open that a tree is of: the one whose path has the address at the
// root, and the path that stands over it; of several the one in which most of the
// lines are found. A tree without such a root is of no open: nil.
func (j *judge) treeOf(lines []line) *scope {
	var candidates []*window
	path, rooted := "", false
	for i := range lines {
		l := &lines[i]
		if !isBranch(l.text) {
			path = strings.ReplaceAll(strings.Replace(l.text, "/ ", "/", 1), " / ", "/")
			continue
		}
		for _, lb := range j.v.labels(l.text) {
			at := addressToken.FindString(l.text[lb.to:])
			if lb.role == schema.RoleOpen && lb.phase == schema.Enter && at != "" {
				candidates, rooted = j.x.windowsOf(hexadecimal(at), path), true
			}
		}
		break
	}
	if !rooted {
		return nil
	}
	if len(candidates) == 1 {
		return &scope{window: candidates[0], first: -1}
	}
	best, most := &scope{first: -1}, -1
	for _, w := range candidates {
		if n := j.lookedUp(lines, w); n > most {
			best, most = &scope{window: w, first: -1}, n
		}
	}
	return best
}

// lookedUp counts what of a tree is found in an open.
func (j *judge) lookedUp(lines []line, w *window) int {
	trial := &judge{x: j.x, v: j.v, result: &Result{}, tree: &scope{window: w, first: -1}}
	for i := range lines {
		if isBranch(lines[i].text) {
			trial.tree.line()
			trial.statements(&lines[i])
		}
	}
	n := 0
	for _, f := range trial.result.Findings {
		if f.Verdict == Found {
			n++
		}
	}
	return n
}
