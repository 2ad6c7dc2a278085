// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"strconv"
	"strings"
)

// Label is the phase as printed: "enter", "exit", "phase(9)" for one this version
// does not know.
func (p Phase) Label() string { return label(Phase_name, int32(p), "PHASE_") }

// Label is the way of attaching as printed, e.g. "fentry".
func (a Attach) Label() string { return label(Attach_name, int32(a), "ATTACH_") }

// Label is the cause as printed, e.g. "ring_buffer".
func (c LossCause) Label() string { return label(LossCause_name, int32(c), "LOSS_CAUSE_") }

// Label is the algorithm as printed, e.g. "word64_le".
func (h NameHash) Label() string { return label(NameHash_name, int32(h), "NAME_HASH_") }

func label(names map[int32]string, n int32, prefix string) string {
	name, ok := names[n]
	if !ok {
		name = prefix[:len(prefix)-1] + "(" + strconv.Itoa(int(n)) + ")"
	}
	return strings.ToLower(strings.TrimPrefix(name, prefix))
}
