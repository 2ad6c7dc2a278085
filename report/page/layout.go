// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

var (
	atOffset  = regexp.MustCompile(`\b([a-z_]+)(?:\[(\d+)\])? @(\d+)`)
	bareAt    = regexp.MustCompile(`(?:^|[ (])@(\d+)`)
	sizeWords = regexp.MustCompile(`struct dentry, (\d+) bytes`)
	shift     = regexp.MustCompile(`d_hash_shift = (\d+)`)
)

// layout judges offsets and sizes of the kernel's structures.
func (j *judge) layout(l *line) {
	known := j.x.header.GetLayout()
	offsets := fieldOffsets(known)
	one := func(s span, right bool) {
		v := Found
		if !right || known.GetDentrySize() == 0 {
			v = Absent
		}
		j.report(l, s, "layout", v, nil, noteIf(known.GetDentrySize() == 0, "the layout of this run's kernel is not known"))
	}
	named := make(map[int]bool) // where the offset of a named field ends
	for _, m := range atOffset.FindAllStringSubmatchIndex(l.text, -1) {
		named[m[1]] = true
		want, ok := offsets[l.text[m[2]:m[3]]]
		right := ok && decimal(l.text[m[6]:m[7]]) == uint64(want)
		if m[4] >= 0 {
			right = right && decimal(l.text[m[4]:m[5]]) == uint64(known.GetInlineNameSize())
		}
		one(span{m[0], m[1]}, right)
	}
	for _, m := range bareAt.FindAllStringSubmatchIndex(l.text, -1) {
		if named[m[1]] {
			continue
		}
		one(span{m[2] - 1, m[3]}, isOffset(known, decimal(l.text[m[2]:m[3]])))
	}
	for _, m := range sizeWords.FindAllStringSubmatchIndex(l.text, -1) {
		one(span{m[0], m[1]}, decimal(l.text[m[2]:m[3]]) == uint64(known.GetDentrySize()))
	}
	for _, m := range shift.FindAllStringSubmatchIndex(l.text, -1) {
		one(span{m[0], m[1]}, decimal(l.text[m[2]:m[3]]) == uint64(known.GetDHashShift()))
	}
}

// saidOffset is an offset in words; what it is of stands before or behind the word.
var saidOffset = regexp.MustCompile("\\b(?:(\\w+) )?[Oo]ffset(?: of (`[^`]*`|\\w+))?(?: is|:| =)? (0[xX][0-9a-fA-F]+|\\d+)\\b")

// inPath are the words for an offset that is one in a path.
var inPath = []string{"basename", "component", "name", "prefix", "path"}

// offsets judges the offsets that a line gives in words: of a name in its path, which
// is named or that of the open at hand, or in a structure.
func (j *judge) offsets(l *line) {
	for _, m := range saidOffset.FindAllStringSubmatchIndex(l.text, -1) {
		s, stated := span{m[0], m[1]}, number(l.text[m[6]:m[7]])
		word, of := "", ""
		if m[2] >= 0 {
			word = l.text[m[2]:m[3]]
		}
		if m[4] >= 0 {
			of = l.name[m[4]:m[5]]
		}
		if !slices.Contains(inPath, word) {
			j.fieldOffset(l, s, strings.Trim(of, "`"), word, stated)
			continue
		}
		j.nameOffset(l, s, of, stated)
	}
}

// nameOffset judges where in a path its last name begins.
func (j *judge) nameOffset(l *line, s span, of string, stated uint64) {
	var paths []string
	if content, ok := codeSpan(of); ok {
		paths = []string{plain(content)}
	} else {
		for _, w := range j.opens {
			paths = append(paths, w.enter.Name)
		}
	}
	if len(paths) == 0 {
		j.report(l, s, "offset", Unread, nil, "no path is at hand")
		return
	}
	note := ""
	for _, p := range paths {
		begins := strings.LastIndexByte(strings.TrimRight(p, "/"), '/') + 1
		if uint64(begins) == stated {
			j.report(l, s, "offset", Found, nil, "")
			return
		}
		note = fmt.Sprintf("in %s it is %d", quoted(p), begins)
	}
	j.report(l, s, "offset", Wrong, nil, note)
}

// fieldOffset judges an offset in a structure: of the field that is named, else any.
func (j *judge) fieldOffset(l *line, s span, of, word string, stated uint64) {
	known := j.x.header.GetLayout()
	offsets := fieldOffsets(known)
	want, named := offsets[of]
	if !named {
		want, named = offsets[word]
	}
	if named && uint64(want) != stated || !named && !isOffset(known, stated) {
		j.report(l, s, "offset", Absent, nil, noteIf(named, fmt.Sprintf("it is %d in this run's kernel", want)))
		return
	}
	j.report(l, s, "offset", Found, nil, "")
}

// fieldOffsets are the offsets of a layout by the names of the fields.
func fieldOffsets(known *schema.Layout) map[string]uint32 {
	offsets := map[string]uint32{"d_parent": known.GetDParent(), "d_name": known.GetDName(), "d_inode": known.GetDInode(),
		"name": known.GetFilenameName(), "iname": known.GetFilenameIname()}
	if known.GetInlineNameField() != "" {
		offsets[known.GetInlineNameField()] = known.GetInlineName()
	}
	return offsets
}

// isOffset reports whether a number is an offset in the layout.
func isOffset(k *schema.Layout, n uint64) bool {
	for _, o := range []uint32{k.GetDHash(), k.GetDParent(), k.GetDName(), k.GetDInode(), k.GetInlineName(), k.GetExternalName(), k.GetFilenameName(), k.GetFilenameIname()} {
		if uint64(o) == n {
			return true
		}
	}
	return false
}
