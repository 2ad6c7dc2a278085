// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// node is one call or one event in the tree of an item.
type node struct {
	enter, exit *Step // exit nil: a probe without exit, or the call did not return
	children    []*node
}

// nest builds the tree of calls from the events in their order.
func nest(steps []Step) []*node {
	root := &node{}
	open := []*node{root}
	for i := range steps {
		s := &steps[i]
		if s.Enter != 0 && s.Event.Phase == schema.Exit {
			for k := len(open) - 1; k > 0; k-- {
				if open[k].enter.Event.ID == s.Enter {
					open[k].exit = s
					open = open[:k]
					s = nil
					break
				}
			}
			if s == nil {
				continue
			}
		}
		n := &node{enter: s}
		top := open[len(open)-1]
		top.children = append(top.children, n)
		if s.Event.Phase == schema.Enter && paired(s.Event.Role) {
			open = append(open, n)
		}
	}
	return root.children
}

func paired(r schema.Role) bool {
	info, ok := r.Info()
	return ok && info.Enter != nil && info.Exit != nil
}

// tree draws an item: the order in which things happened on its thread.
func (f *Findings) tree(it *Item) []string {
	head := "outside any open"
	if it.Open {
		head = splitPath(it.Path)
	}
	lines := []string{head}
	nodes := nest(it.Steps)
	for i, n := range nodes {
		lines = f.draw(lines, n, "", i == len(nodes)-1 && it.More == 0)
	}
	if it.More > 0 {
		lines = append(lines, fmt.Sprintf("└─ … %d more events", it.More))
	}
	return lines
}

func (f *Findings) draw(lines []string, n *node, indent string, last bool) []string {
	branch, below := "├─ ", "│  "
	if last {
		branch, below = "└─ ", "   "
	}
	if len(n.children) == 0 && n.exit != nil {
		return append(lines, fmt.Sprintf("%s%s%s → %s #%d–#%d", indent, branch, f.entered(n.enter), outcome(n.exit),
			n.enter.Event.ID, n.exit.Event.ID))
	}
	lines = append(lines, fmt.Sprintf("%s%s%s #%d", indent, branch, f.entered(n.enter), n.enter.Event.ID))
	for i, c := range n.children {
		lines = f.draw(lines, c, indent+below, i == len(n.children)-1 && n.exit == nil)
	}
	if n.exit != nil {
		e := &n.exit.Event
		lines = append(lines, fmt.Sprintf("%s%s└─ %s %s #%d", indent, below, f.Label(e.Role, e.Phase), outcome(n.exit), e.ID))
	}
	return lines
}

// entered describes an entry, or the one event of a probe without exit.
func (f *Findings) entered(s *Step) string {
	e := &s.Event
	label := f.Label(e.Role, e.Phase)
	switch e.Role {
	case schema.RoleOpen:
		return fmt.Sprintf("%s %#x", label, e.NameAddr)
	case schema.RoleLookup, schema.RoleLookupChain, schema.RoleLookupRCU:
		return fmt.Sprintf("%s (hash=%d,len=%d) %s", label, e.Hash, e.NameLen, replay.Printable(e.Name))
	case schema.RoleAlloc:
		return fmt.Sprintf("%s, copy source %#x %s", label, e.NameAddr, replay.Printable(e.Name))
	case schema.RoleInsert:
		return fmt.Sprintf("%s %s %s, bucket %#x", label, s.Ref, state(e), e.Bucket)
	case schema.RoleMove:
		if e.Phase == schema.Enter {
			return fmt.Sprintf("%s %s %s, %s", label, s.Ref, replay.Printable(e.Name), targeted(e))
		}
	case schema.RoleEvict, schema.RoleFork, schema.RoleExec, schema.RoleExit:
		return label
	}
	return fmt.Sprintf("%s %s %s", label, s.Ref, replay.Printable(e.Name))
}

// outcome describes what an exit returned.
func outcome(s *Step) string {
	e := &s.Event
	switch {
	case e.Role == schema.RoleOpen && e.Errno() != 0:
		return errnoText(e.Ret)
	case e.Role == schema.RoleUnlink:
		return returned(e.Ret)
	case e.Role == schema.RoleEvict:
		return "done"
	case e.Dentry == 0:
		return "NULL"
	case e.Role == schema.RoleAlloc:
		return fmt.Sprintf("%s, copy destination %#x", s.Ref, e.NameAddr)
	}
	return s.Ref.String()
}

// returned spells the result of a call that returns 0 or a negative errno.
func returned(ret uint64) string {
	if isErr(ret) {
		return errnoText(ret)
	}
	return fmt.Sprint(ret)
}

// state says whether the dentry has an inode.
func state(e *schema.Event) string {
	switch {
	case e.Facts&schema.FactInodeUnknown != 0:
		return "(inode not read)"
	case e.Inode == 0:
		return "(negative)"
	}
	return fmt.Sprintf("(inode %#x)", e.Inode)
}

// splitPath sets the components of a path apart, "/ tmp / t_e.txt".
func splitPath(path string) string {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	out := replay.Printable(strings.Join(parts, " / "))
	if strings.HasPrefix(path, "/") {
		out = "/ " + out
	}
	return out
}
