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
	if !it.stretch() {
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
	head := indent + branch + f.Label(n.enter.Event.Role, n.enter.Event.Phase) + entered(n.enter)
	if len(n.children) == 0 && n.exit != nil {
		return append(lines, fmt.Sprintf("%s → %s %s", head, outcome(n.exit), cited(n)))
	}
	lines = append(lines, fmt.Sprintf("%s #%d", head, n.enter.Event.ID))
	for i, c := range n.children {
		lines = f.draw(lines, c, indent+below, i == len(n.children)-1 && n.exit == nil)
	}
	if n.exit != nil {
		e := &n.exit.Event
		lines = append(lines, fmt.Sprintf("%s%s└─ %s %s #%d", indent, below, f.Label(e.Role, e.Phase), outcome(n.exit), e.ID))
	}
	return lines
}

// cited names the events of a call.
func cited(n *node) string {
	if n.enter.Event.ID == n.exit.Event.ID {
		return fmt.Sprintf("#%d", n.enter.Event.ID)
	}
	return fmt.Sprintf("#%d–#%d", n.enter.Event.ID, n.exit.Event.ID)
}

// entered describes an entry, the one event of a role that has only one, or an exit whose
// entry is not known, after its label.
func entered(s *Step) string {
	e := &s.Event
	has := e.Columns.Has
	switch {
	case e.Phase == schema.Exit && paired(e.Role):
		return " " + outcome(s)
	case has(schema.ColumnBucket):
		return fmt.Sprintf(" %s %s, bucket %#x", s.Ref, state(e), e.Bucket)
	case has(schema.ColumnTarget):
		return fmt.Sprintf(" %s %s, %s", s.Ref, replay.Printable(e.Name), targeted(e))
	case has(schema.ColumnDentry):
		return fmt.Sprintf(" %s %s", s.Ref, replay.Printable(e.Name))
	case !has(schema.ColumnNameAddr):
		return ""
	case e.Role.Is(schema.Walks):
		return fmt.Sprintf(" %#x", e.NameAddr)
	case e.Role.Is(schema.Asks):
		return fmt.Sprintf(" (%slen=%d) %s", hashText("hash=%d,", e), e.NameLen, replay.Printable(e.Name))
	}
	return fmt.Sprintf(", copy source %#x %s", e.NameAddr, replay.Printable(e.Name))
}

// hashText is the hash of a name; empty where the trace was redacted, and has none.
func hashText(format string, e *schema.Event) string {
	if e.Hash == 0 {
		return ""
	}
	return fmt.Sprintf(format, e.Hash)
}

// outcome describes what an exit returned.
func outcome(s *Step) string {
	e := &s.Event
	switch has := e.Columns.Has; {
	case has(schema.ColumnRet) && e.Errno() != 0:
		return schema.ErrnoText(e.Errno())
	case has(schema.ColumnRet) && !has(schema.ColumnDentry):
		return fmt.Sprint(e.Ret)
	case !has(schema.ColumnDentry):
		return "done"
	case e.Dentry == 0:
		return "NULL"
	case e.Role.Is(schema.Begins):
		return fmt.Sprintf("%s, copy destination %#x", s.Ref, e.NameAddr)
	}
	return s.Ref.String()
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
