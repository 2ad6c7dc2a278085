// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/schema"
)

// ownCall is a path call that is not an open, from the entry of its walk to the return of its operation, or
// to that of the walk if it is in no operation or failed.
type ownCall struct {
	enter, exit *schema.Event
	op          string
	id          uint64 // of the event at which it began
}

func (o *ownCall) took() uint64 { return o.exit.Time - o.enter.Time }

// nested is a call in progress on a thread, with the walks made for it.
type nested struct {
	enter  *schema.Event
	op     string
	walked []*ownCall // for an operation
}

// callsOf pairs the entries and exits of walks and operations by thread alone.
func callsOf(records []schema.Record) (calls []*ownCall) {
	threads := make(map[uint32][]*nested)
	for _, rec := range records {
		e, ok := rec.(*schema.Event)
		if !ok {
			continue
		}
		info, _ := e.Role.Info()
		if info.Exit == nil || info.Op == "" && !e.Role.Is(schema.TraitWalks) {
			continue
		}
		in := threads[e.TID]
		if e.Phase == schema.Enter {
			threads[e.TID] = append(in, &nested{enter: e, op: info.Op})
			continue
		}
		for i := len(in) - 1; i >= 0; i-- {
			if in[i].enter.Role == e.Role {
				threads[e.TID] = in[:i]
				calls = append(calls, returned(in[:i], in[i], e)...)
				break
			}
		}
	}
	return calls
}

// returned returns the path calls that end when n returns, inside the calls around it.
func returned(around []*nested, n *nested, exit *schema.Event) []*ownCall {
	for _, outer := range around {
		if outer.enter.Role == schema.RoleOpen {
			return nil
		}
	}
	switch {
	case n.enter.Role == schema.RoleOpen:
		return nil
	case !n.enter.Role.Is(schema.TraitWalks):
		for _, w := range n.walked {
			w.exit, w.op, w.id = exit, n.op, n.enter.ID
		}
		return n.walked
	case n.enter.Role == schema.RoleWalkParent && exit.Errno() == 0:
		if len(around) > 0 {
			around[len(around)-1].walkedTo(&ownCall{enter: n.enter})
		}
		return nil
	}
	op, id := "walk", n.enter.ID
	for _, outer := range around {
		if outer.op != "" {
			op, id = "walk of "+outer.op, outer.enter.ID
		}
	}
	return []*ownCall{{enter: n.enter, exit: exit, op: op, id: id}}
}

// walkedTo adds the walk to a parent: as that of the second path, or in place of earlier attempts.
func (n *nested) walkedTo(w *ownCall) {
	if len(n.walked) == 1 && n.walked[0].enter.NameAddr != w.enter.NameAddr {
		n.walked = append(n.walked, w)
	} else {
		n.walked = []*ownCall{w}
	}
}

// called checks the summary of a folded path call that is not an open, and why it was picked.
func (r *reader) called(op, id, path, came, why string) bool {
	r.within, r.calls = false, r.calls+1
	mine := slices.DeleteFunc(slices.Clone(r.others), func(o *ownCall) bool { return o.enter.Comm != r.comm })
	return slices.ContainsFunc(mine, func(o *ownCall) bool {
		returned := "returned 0"
		if o.exit.Errno() != 0 {
			returned = schema.ErrnoText(o.exit.Errno())
		}
		return o.op == op && strconv.FormatUint(o.id, 10) == id && md.Element(o.enter.Name) == path && returned == came &&
			!slices.ContainsFunc(strings.Split(why, ", "), func(why string) bool { return !o.picked(mine, why) })
	})
}

// picked reports whether the call was to be picked for that reason, among those of its program.
func (o *ownCall) picked(all []*ownCall, why string) bool {
	switch why {
	case "failed":
		return o.exit.Errno() != 0 && o == all[slices.IndexFunc(all, func(b *ownCall) bool { return b.op == o.op && b.exit.Errno() == o.exit.Errno() })]
	case "slowest":
		slower := 0
		for _, other := range all {
			if other.took() > o.took() {
				slower++
			}
		}
		return slower < maxSlow
	}
	return true
}

// shownCalls notes how many calls the section says are shown.
func (r *reader) shownCalls(n string) bool {
	r.said, _ = strconv.Atoi(n)
	return r.said > 0
}

func sortedKeys[V any](m map[uint32]V) []uint32 {
	var keys []uint32
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
