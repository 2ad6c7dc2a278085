// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// destinations is what a path led to, the first two that differ.
type destinations struct {
	first, other     string
	firstID, otherID uint64
	changes          uint64
	last             string
}

// leads reports whether a call that succeeded tells where its path leads: from a root directory to a file with a name, which one that
// O_TMPFILE makes has not.
func leads(c *replay.PathCall) bool {
	return strings.HasPrefix(c.Path, "/") && c.How&schema.LookupInRoot == 0 && known(c.Resolved) && len(c.Resolved) <= maxResolved &&
		(!c.OtherRoot || c.StartAddr != 0) && !unnamed(c)
}

// unnamed reports whether what a call opened has the name of a file that O_TMPFILE makes, # and its inode's number, which older recorders
// did not read, and was asked for by another.
func unnamed(c *replay.PathCall) bool {
	name := baseOf(c.Resolved)
	digits, ok := strings.CutPrefix(name, "#")
	n, err := strconv.ParseUint(digits, 10, 64)
	return ok && err == nil && (n == c.Ino || c.Ino == 0 && c.Operation == "open" && baseOf(c.Path) != name)
}

// rootKey is what the keys of paths from one root directory begin with: nothing of the recorder's. One that is followed where it is a link
// (open) is another than one that is not (readlink, unlink).
func (s *Summarizer) rootKey(c *replay.PathCall) string {
	root := ""
	if c.OtherRoot {
		if c.StartAddr != s.root {
			s.root, s.rooted = c.StartAddr, strconv.FormatUint(c.StartAddr, 16)
		}
		root = s.rooted
	}
	if c.Operation == "rename" || c.How&schema.LookupFollow == 0 {
		root += " itself"
	}
	return root
}

func (d *destinations) add(c *replay.PathCall) {
	switch {
	case d.firstID == 0:
		d.first, d.firstID = c.Resolved, c.ID
	case d.last != c.Resolved:
		d.changes++
		if d.otherID == 0 && d.first != c.Resolved {
			d.other, d.otherID = c.Resolved, c.ID
		}
	}
	d.last = c.Resolved
}
