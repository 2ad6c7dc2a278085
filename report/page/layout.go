// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"

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
	offsets := map[string]uint32{"d_parent": known.GetDParent(), "d_name": known.GetDName(), "d_inode": known.GetDInode(),
		"name": known.GetFilenameName(), "iname": known.GetFilenameIname()}
	if known.GetInlineNameField() != "" {
		offsets[known.GetInlineNameField()] = known.GetInlineName()
	}
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

// isOffset reports whether a number is an offset in the layout.
func isOffset(k *schema.Layout, n uint64) bool {
	for _, o := range []uint32{k.GetDHash(), k.GetDParent(), k.GetDName(), k.GetDInode(), k.GetInlineName(), k.GetExternalName(), k.GetFilenameName(), k.GetFilenameIname()} {
		if uint64(o) == n {
			return true
		}
	}
	return false
}
