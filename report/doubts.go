// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// dentry is one that a claim is about.
type dentry func(*view) *replay.Object

func one(v *view) *replay.Object { return v.one }
func two(v *view) *replay.Object { return v.two }

// The tests that several kinds of claim have. Where there is no dentry none of them fails.

// unfollowed: not all that happened at the dentry's address since its first event is known
// to be of it.
func unfollowed(of dentry) test {
	return test{whys: []*Reason{MissedEnd, Unwatched, Forgotten, EventsLost, Contradicted}, needs: replay.RolesOf(schema.RoleKill),
		fails: func(v *view) (*Reason, About) {
			if d := of(v); d != nil && !followed(d) {
				return lack(d)
			}
			return nil, About{}
		}}
}

// unfollowedLive is unfollowed of a dentry that is live, and whose address so was not
// handed out again.
func unfollowedLive(of dentry) test {
	t := unfollowed(of)
	t.whys = t.whys[1:]
	return t
}

// followed reports whether all that happened at a dentry's address since its first event
// is known to be of it.
func followed(d *replay.Object) bool {
	return d.Broken == 0 && d.Unwatched == 0 && !d.Forgotten && d.Contradicted == nil
}

// lack is why a dentry is not followed. A change that may have been lost is no contradiction.
func lack(d *replay.Object) (*Reason, About) {
	switch at := d.Contradicted; {
	case d.Broken != 0:
		return MissedEnd, About{Event: d.Broken}
	case d.Unwatched != 0:
		return Unwatched, About{Event: d.Unwatched}
	case d.Forgotten:
		return Forgotten, About{}
	case at.Over != nil:
		return EventsLost, About{Text: lossReason(*at.Over)}
	default:
		return Contradicted, About{at.Event, at.What}
	}
}

// maybeKilled: a kill may have ended it, or may yet come to do so.
func maybeKilled(of dentry) test {
	return by(MaybeKilled, func(v *view) uint64 {
		if d := of(v); d != nil && d.Attempt != 0 && !d.Ended() {
			return d.Attempt
		}
		return 0
	}, schema.RoleKill)
}

// afterItsEnd: the last event uses a dentry that was killed already.
func afterItsEnd(of dentry) test {
	return by(AfterItsEnd, func(v *view) uint64 {
		if d := of(v); d != nil && d.Killed != 0 && d.Killed < v.exit.ID {
			return d.Killed
		}
		return 0
	}, schema.RoleKill)
}

// The operands that several kinds of claim have.

// allocated is the event a dentry was born at, if that was recorded.
func allocated(of dentry, needs ...schema.Role) operand {
	return operand{replay.RolesOf(needs...), func(v *view) { v.birth(of(v)) }}
}

func (v *view) birth(d *replay.Object) {
	if d != nil && d.Born != 0 {
		v.term(v.label(schema.RoleAlloc, schema.Exit), d.Addr, d.Born, "")
	}
}

// inserted is the event that put it into the hash table.
func inserted(of dentry) operand {
	return operand{replay.RolesOf(schema.RoleInsert), func(v *view) {
		if d := of(v); d != nil && d.Inserted != 0 {
			v.term(v.label(schema.RoleInsert, schema.Exit), d.Addr, d.Inserted, "")
		}
	}}
}

// killed is the event that ended it.
func killed(of dentry) operand {
	return operand{replay.RolesOf(schema.RoleKill), func(v *view) { v.kill(of(v), "") }}
}

func (v *view) kill(d *replay.Object, by string) {
	if d.Killed != 0 {
		v.term(v.label(schema.RoleKill, schema.Enter), d.Addr, d.Killed, by)
	}
}

// openReturned is what the open, or another walk, came to.
var openReturned = operand{show: func(v *view) {
	value := v.exit.Dentry
	if v.exit.Errno() != 0 {
		value = v.exit.Ret
	}
	v.term(v.label(v.exit.Role, schema.Exit), value, v.exit.ID, v.exit.Comm)
}}

// shown is what an event showed of the dentry that it is about.
func (v *view) shown(e *schema.Event) { v.term(v.label(e.Role, e.Phase), e.Dentry, e.ID, e.Comm) }
