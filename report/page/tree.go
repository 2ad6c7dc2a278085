// SPDX-License-Identifier: Apache-2.0

package page

import (
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// scope is the open that a tree is drawn of. A tree whose open is not in the run has
// no events to stand for its lines.
type scope struct{ window *window }

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
		if j.tree = nil; uncited(*l) {
			j.tree = tree
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
		return &scope{candidates[0]}
	}
	best, most := &scope{}, -1
	for _, w := range candidates {
		if n := j.lookedUp(lines, w); n > most {
			best, most = &scope{w}, n
		}
	}
	return best
}

// lookedUp counts what of a tree is found in an open.
func (j *judge) lookedUp(lines []line, w *window) int {
	trial := &judge{x: j.x, v: j.v, result: &Result{}, tree: &scope{w}}
	for i := range lines {
		if isBranch(lines[i].text) {
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
