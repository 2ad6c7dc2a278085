// SPDX-License-Identifier: Apache-2.0

package report

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/proto"
)

// loseEvents drops some events in some windows, and adds loss records as the format requires.
func loseEvents(rng *rand.Rand, m *memory) *memory {
	var gone = make(map[*schema.Event]bool)
	var windows []lostWindow
	for range 1 + rng.IntN(3) {
		if w, ok := loseWindow(rng, m, gone); ok {
			windows = append(windows, w)
		}
	}
	out := &memory{header: m.header}
	for _, rec := range m.records {
		e, ok := rec.(*schema.Event)
		for i := 0; i < len(windows); i++ {
			if w := windows[i]; !ok || e.Time > w.begin {
				out.records = append(out.records, w.loss)
				windows = slices.Delete(windows, i, i+1)
				i--
			}
		}
		if f, isFooter := rec.(*schema.Footer); isFooter {
			f = proto.CloneOf(f)
			f.Lost = lostIn(out.records)
			rec = f
		}
		if !ok || !gone[e] {
			out.records = append(out.records, rec)
		}
	}
	return out
}

func lostIn(records []schema.Record) uint64 {
	var n uint64
	for _, rec := range records {
		if l, ok := rec.(*schema.Loss); ok {
			n += l.Count
		}
	}
	return n
}

func loseWindow(rng *rand.Rand, m *memory, gone map[*schema.Event]bool) (lostWindow, bool) {
	from := rng.IntN(len(m.records))
	to := min(len(m.records), from+1+rng.IntN(1+rng.IntN(60)))
	share := 1 + rng.IntN(3)
	l := &schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, FirstNs: math.MaxUint64}
	if rng.IntN(2) == 0 {
		l.Role = schema.Role(1 + rng.IntN(14))
	}
	for _, rec := range m.records[from:to] {
		e, ok := rec.(*schema.Event)
		if !ok || gone[e] || l.Role != 0 && e.Role != l.Role || rng.IntN(share) > 0 {
			continue
		}
		gone[e] = true
		l.Count++
		l.FirstNs, l.LastNs = min(l.FirstNs, e.Time), max(l.LastNs, e.Time)
	}
	return lostWindow{l, l.FirstNs - rng.Uint64N(2)*rng.Uint64N(5000)}, l.Count > 0
}

// leaveOut detaches probes, for whole roles or for one phase.
func leaveOut(rng *rand.Rand, m *memory) *memory {
	out := &memory{header: proto.CloneOf(m.header)}
	type probe struct {
		role  schema.Role
		phase schema.Phase
	}
	gone := make(map[probe]bool)
	for range 1 + rng.IntN(3) {
		role := schema.Role(1 + rng.IntN(14))
		phases := rng.IntN(3)
		for _, p := range out.header.Probe {
			if p.Role == role && (phases == 0 || phases == int(p.Phase)) {
				p.Attached = false
				gone[probe{role, p.Phase}] = true
			}
		}
	}
	for _, rec := range m.records {
		if e, ok := rec.(*schema.Event); !ok || !gone[probe{e.Role, e.Phase}] {
			out.records = append(out.records, rec)
		}
	}
	return out
}

// missSilently drops events of probes whose missed hits are not counted.
func missSilently(rng *rand.Rand, m *memory) *memory {
	out := &memory{header: proto.CloneOf(m.header)}
	vague := make(map[schema.Role]bool)
	for range 1 + rng.IntN(3) {
		vague[schema.Role(1+rng.IntN(14))] = true
	}
	for _, p := range out.header.Probe {
		p.Uncounted = vague[p.Role]
	}
	share := 1 + rng.IntN(8)
	for _, rec := range m.records {
		if e, ok := rec.(*schema.Event); !ok || !vague[e.Role] || rng.IntN(share) > 0 {
			out.records = append(out.records, rec)
		}
	}
	return out
}

// stopWatching drops the ends of some dentries, after an event that says that they are no longer watched.
func stopWatching(rng *rand.Rand, m *memory) *memory {
	out := &memory{header: m.header}
	lost := make(map[uint64]bool) // by address of the dentry
	share := 1 + rng.IntN(20)
	for _, rec := range m.records {
		e, ok := rec.(*schema.Event)
		if !ok || e.Dentry == 0 {
			out.records = append(out.records, rec)
			continue
		}
		ends := e.Role == schema.RoleKill || e.Role == schema.RoleFree || e.Role == schema.RoleDrop
		switch {
		case ends && lost[e.Dentry]:
			if e.Role == schema.RoleFree {
				delete(lost, e.Dentry)
			}
			continue
		case !ends && rng.IntN(share) == 0:
			lost[e.Dentry] = true
			kept := *e
			kept.Facts |= schema.FactUnwatched
			rec = &kept
		}
		out.records = append(out.records, rec)
	}
	return out
}

// cutFile ends the file early.
func cutFile(rng *rand.Rand, m *memory) *memory {
	n := 1 + rng.IntN(len(m.records)-1)
	return &memory{header: m.header, records: append(slices.Clone(m.records[:n]), &schema.Damage{Cut: true, Offset: 1})}
}

// damageFrame makes a stretch of the file unreadable.
func damageFrame(rng *rand.Rand, m *memory) *memory {
	from := 1 + rng.IntN(len(m.records)-2)
	to := min(len(m.records)-1, from+1+rng.IntN(80))
	out := slices.Clone(m.records[:from])
	var events uint64
	for _, rec := range m.records[from:to] {
		if _, ok := rec.(*schema.Event); ok {
			events++
		}
	}
	out = append(out, &schema.Damage{Offset: 1, Events: events})
	return &memory{header: m.header, records: append(out, m.records[to:]...)}
}

// recordLess returns what the recorder writes of the same run when it records fewer processes, begins later
// or ends earlier. Of the other processes it only has what happens to a dentry that was seen.
func recordLess(rng *rand.Rand, m *memory) *memory {
	targets := make(map[uint32]bool)
	share := 1 + rng.IntN(4)
	for _, rec := range m.records {
		if e, ok := rec.(*schema.Event); ok {
			if _, met := targets[e.PID]; !met {
				targets[e.PID] = rng.IntN(4) < share
			}
		}
	}
	from, to := 0, len(m.records)
	if rng.IntN(2) == 0 {
		from = rng.IntN(to)
	}
	if rng.IntN(2) == 0 {
		to = from + rng.IntN(to-from)
	}
	out, footer := &memory{header: m.header}, &schema.Footer{}
	r := less{targets, make(map[uint64]bool), make(map[uint32]bool)}
	for _, rec := range m.records[from:to] {
		if e, ok := rec.(*schema.Event); ok && r.records(e) {
			out.records = append(out.records, e)
			footer.Events++
		}
	}
	out.records = append(out.records, footer)
	return out
}

// onePart returns one file of a recording that is kept as several files. It begins and ends in the middle
// of calls, some of which began in the file before.
func onePart(rng *rand.Rand, m *memory) *memory {
	from := rng.IntN(len(m.records))
	to := from + rng.IntN(len(m.records)-from)
	out, footer := &memory{header: proto.CloneOf(m.header)}, &schema.Footer{EndedBy: "rotation"}
	out.header.Part = 2
	for _, rec := range m.records[from:to] {
		if e, ok := rec.(*schema.Event); ok {
			if footer.Events == 0 {
				out.header.StartBootNs = e.Time
			}
			footer.EndNs = e.Time
			footer.Events++
			out.records = append(out.records, e)
		}
	}
	out.records = append(out.records, footer)
	return out
}

// less decides which events are recorded, as bpf/dcache.h does.
type less struct {
	targets   map[uint32]bool // by process id
	watched   map[uint64]bool
	unlinking map[uint32]bool // by id, threads of other processes
}

func (r *less) records(e *schema.Event) bool {
	if !r.wants(e) {
		return false
	}
	switch e.Role {
	case schema.RoleKill, schema.RoleDrop, schema.RoleEvict:
	case schema.RoleFree:
		delete(r.watched, e.Dentry)
	case schema.RoleUnlink:
		r.unlinking[e.TID] = e.Phase == schema.Enter
		r.watched[e.Dentry] = true
	default:
		if e.Phase == schema.Enter && e.Role != schema.RoleMove && e.Role != schema.RoleDelete {
			r.watched[e.Parent] = true
			break
		}
		r.watched[e.Dentry] = true
		if e.Facts&schema.FactExchange != 0 {
			r.watched[e.Target] = true
		}
	}
	delete(r.watched, 0)
	return true
}

func (r *less) wants(e *schema.Event) bool {
	switch e.Role {
	case schema.RoleEvict:
		return true
	case schema.RoleKill, schema.RoleDrop, schema.RoleFree:
		return r.watched[e.Dentry]
	}
	switch {
	case r.targets[e.PID]:
		return true
	case e.Role == schema.RoleUnlink && e.Phase == schema.Exit:
		return r.unlinking[e.TID]
	case e.Role == schema.RoleInsert, e.Role == schema.RoleInstantiate, e.Role == schema.RoleDelete, e.Role == schema.RoleUnlink,
		e.Role == schema.RoleAlloc && e.Phase == schema.Exit, e.Role == schema.RoleMove:
		return r.watched[e.Dentry] || e.Role == schema.RoleMove && e.Target != 0 && r.watched[e.Target]
	}
	return false
}
