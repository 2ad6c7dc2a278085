// SPDX-License-Identifier: Apache-2.0

package test

import "slices"

// negativeDentries tracks the negative dentries by address: those inserted without an inode, and those left by a
// d_delete.
type negativeDentries struct {
	at     map[string]*negativeDentry
	inside map[string]map[uint32]bool // by role: the threads inside a call of it
}

type negativeDentry struct {
	call uint64
	dir  string
}

func newNegativeDentries() negativeDentries {
	return negativeDentries{map[string]*negativeDentry{}, map[string]map[uint32]bool{"unlink": {}, "rmdir": {}, "move": {}}}
}

func (s *negativeDentries) event(r *summaryBuilder, e *replayEvent) {
	if in := s.inside[e.Role]; in != nil {
		in[e.TID] = e.Phase == "enter"
	}
	if e.Dentry == nil {
		return
	}
	none, was := e.Inode == nil && !slices.Contains(e.Facts, "inode_unknown"), s.at[*e.Dentry]
	switch {
	case e.Role == "alloc" || e.Role == "kill" || e.Role == "free" || e.Role == "drop":
		delete(s.at, *e.Dentry)
	case e.Inode != nil && was != nil:
		if delete(s.at, *e.Dentry); r.around[e.ID] != 0 && r.around[e.ID] == was.call { // the call that made it gave it an inode: not counted
			r.made--
			r.births["lookup"]--
		}
	case e.Role == "insert" && none && !s.inside["move"][e.TID]:
		s.begin(r, e, "lookup")
	case e.Role == "delete" && e.Phase == "exit" && none && !slices.Contains(e.Facts, "unhashed"):
		birth := "delete"
		for _, role := range []string{"rmdir", "unlink"} {
			if s.inside[role][e.TID] {
				birth = role
			}
		}
		s.begin(r, e, birth)
	}
}

func (s *negativeDentries) begin(r *summaryBuilder, e *replayEvent, birth string) {
	if s.at[*e.Dentry] == nil {
		s.at[*e.Dentry] = &negativeDentry{r.around[e.ID], r.places.path(e.Parent)}
		r.made++
		r.births[birth]++
	}
}

// end counts the negative dentries that are left at the end.
func (s *negativeDentries) end(r *summaryBuilder) {
	r.left = uint64(len(s.at))
	for _, x := range s.at {
		r.findings.left.add(x.dir, 0)
	}
}
