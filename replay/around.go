// SPDX-License-Identifier: Apache-2.0

package replay

// Enclosing returns the innermost call of some roles that the step is in, itself included;
// nil: none, or its exit may be among events that were lost.
func (s *State) Enclosing(step *Step, roles Roles) *Call {
	if c := step.Call; c != nil && roles.Has(c.Enter.Role) {
		return c
	}
	return s.Around(step.Event.TID, roles)
}

// Around returns the innermost call of some roles that a thread is in, as Enclosing does.
func (s *State) Around(tid uint32, roles Roles) *Call {
	if t := s.thread(tid); t != nil {
		return t.innermost(roles)
	}
	return nil
}

// innermost is that of some roles; nil: there is none.
func (t *thread) innermost(roles Roles) *Call {
	for i := len(t.calls) - 1; i >= 0; i-- {
		if roles.Has(t.calls[i].Enter.Role) {
			return t.calls[i]
		}
	}
	return nil
}

// walking is the path of the path call that the step is in, or ends; of an operation's entry,
// whose walk is still to come, empty.
func (s *State) walking(step *Step) string {
	if c := s.Enclosing(step, callRoles); c != nil {
		return c.Path
	}
	return ""
}
