// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// dentry selects a dentry that the claim at hand is about; it may return nil.
type dentry func(*view) *replay.Object

func one(v *view) *replay.Object { return v.one }
func two(v *view) *replay.Object { return v.two }

// The tests that several kinds of claim share. None of them fails if the dentry is nil.

// unfollowed fails unless all events at the dentry's address since its first event are known to be about
// this dentry.
func unfollowed(of dentry) test {
	return test{whys: []*Reason{MissedEnd, Unwatched, Forgotten, EventsLost, Contradicted}, needs: replay.RolesOf(schema.RoleKill),
		fails: func(v *view) (*Reason, About) {
			if d := of(v); d != nil && !followed(d) {
				return lack(d)
			}
			return nil, About{}
		}}
}

// unfollowedLive is unfollowed for a live dentry, whose address cannot have been handed out again.
func unfollowedLive(of dentry) test {
	t := unfollowed(of)
	t.whys = t.whys[1:]
	return t
}

// followed reports whether all events at a dentry's address since its first event are known to be about
// this dentry.
func followed(d *replay.Object) bool {
	return d.KillMissed == 0 && d.Unwatched == 0 && !d.Forgotten && d.Contradicted == nil
}

// lack returns why a dentry is not followed. A contradiction that a lost event may explain is reported as
// EventsLost.
func lack(d *replay.Object) (*Reason, About) {
	switch at := d.Contradicted; {
	case d.KillMissed != 0:
		return MissedEnd, About{Event: d.KillMissed}
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

// maybeKilled fails if a kill may have ended the dentry, or may still do so.
func maybeKilled(of dentry) test {
	return by(MaybeKilled, func(v *view) uint64 {
		if d := of(v); d != nil && d.KillAttempt != 0 && !d.Ended() {
			return d.KillAttempt
		}
		return 0
	}, schema.RoleKill)
}

// afterItsEnd fails if the last event uses a dentry that had already been killed.
func afterItsEnd(of dentry) test {
	return by(AfterItsEnd, func(v *view) uint64 {
		if d := of(v); d != nil && d.Killed != 0 && d.Killed < v.exit.ID {
			return d.Killed
		}
		return 0
	}, schema.RoleKill)
}

// The operands that several kinds of claim share.

// allocated shows the event at which the dentry was allocated, if that was recorded.
func allocated(of dentry, needs ...schema.Role) operand {
	return operand{replay.RolesOf(needs...), func(v *view) { v.birth(of(v)) }}
}

func (v *view) birth(d *replay.Object) {
	if d != nil && d.Born != 0 {
		v.term(v.label(schema.RoleAlloc, schema.Exit), d.Addr, d.Born, "")
	}
}

// inserted shows the event that put the dentry into the hash table.
func inserted(of dentry) operand {
	return operand{replay.RolesOf(schema.RoleInsert), func(v *view) {
		if d := of(v); d != nil && d.Inserted != 0 {
			v.term(v.label(schema.RoleInsert, schema.Exit), d.Addr, d.Inserted, "")
		}
	}}
}

// killed shows the event that ended the dentry.
func killed(of dentry) operand {
	return operand{replay.RolesOf(schema.RoleKill), func(v *view) { v.kill(of(v), "") }}
}

func (v *view) kill(d *replay.Object, by string) {
	if d.Killed != 0 {
		v.term(v.label(schema.RoleKill, schema.Enter), d.Addr, d.Killed, by)
	}
}

// openReturned shows what the open, or another walk, returned.
var openReturned = operand{show: func(v *view) {
	value := v.exit.Dentry
	if v.exit.Errno() != 0 {
		value = v.exit.Ret
	}
	v.term(v.label(v.exit.Role, schema.Exit), value, v.exit.ID, v.exit.Comm)
}}

// shown adds the dentry that an event is about as an operand.
func (v *view) shown(e *schema.Event) { v.term(v.label(e.Role, e.Phase), e.Dentry, e.ID, e.Comm) }
