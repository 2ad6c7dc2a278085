// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// destinations records where a path led: the first two places that differ.
type destinations struct {
	first, other     string
	firstID, otherID uint64
}

// leads reports whether a successful call tells where its path leads. The path must be absolute, start from
// a known root directory and lead to a file with a name; a file made with O_TMPFILE has none.
func leads(c *replay.PathCall) bool {
	return strings.HasPrefix(c.Path, "/") && c.How&schema.LookupInRoot == 0 && known(c.Resolved) && len(c.Resolved) <= maxResolved &&
		(!c.OtherRoot || c.StartAddr != 0) && !unnamed(c)
}

// unnamed reports whether a call opened a file made with O_TMPFILE. The kernel names it # and its inode
// number. Older recorders did not read the inode number; then it must be an open whose path ends in another
// name.
func unnamed(c *replay.PathCall) bool {
	name := baseOf(c.Resolved)
	digits, ok := strings.CutPrefix(name, "#")
	n, err := strconv.ParseUint(digits, 10, 64)
	return ok && err == nil && (n == c.Ino || c.Ino == 0 && c.Operation == "open" && baseOf(c.Path) != name)
}

// rootKey returns the prefix for keys of paths that start from the call's root directory: empty for the
// root directory of the recorder. A path whose last component is followed if it is a link (open) gets
// another key than one that is not followed (readlink, unlink).
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
	case d.otherID == 0 && d.first != c.Resolved:
		d.other, d.otherID = c.Resolved, c.ID
	}
}
