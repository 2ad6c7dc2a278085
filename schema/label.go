// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Label returns the phase as printed: "enter", "exit", "phase(9)" for one that this version does not know.
func (p Phase) Label() string { return EnumLabel(p.Descriptor(), p.Number()) }

// Label returns the way of attaching as printed, e.g. "fentry".
func (a Attach) Label() string { return EnumLabel(a.Descriptor(), a.Number()) }

// Label returns the cause as printed, e.g. "ring_buffer".
func (c LossCause) Label() string { return EnumLabel(c.Descriptor(), c.Number()) }

// Label returns the algorithm as printed, e.g. "word64_le".
func (h NameHash) Label() string { return EnumLabel(h.Descriptor(), h.Number()) }

// EnumLabel returns a value of an enum as printed: its name without the enum's name, in lower case.
func EnumLabel(e protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	zero := string(e.Values().ByNumber(0).Name())
	prefix := zero[:strings.LastIndexByte(zero, '_')+1]
	if v := e.Values().ByNumber(n); v != nil {
		return strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix))
	}
	return fmt.Sprintf("%s(%d)", strings.ToLower(strings.TrimSuffix(prefix, "_")), n)
}

// Endless reports whether the window of such a loss has no end, whatever its last_ns says: any later event
// may be missing. It is true for a cause that this version does not know.
func (c LossCause) Endless() bool {
	switch c {
	case LossRingBuffer, LossMissed, LossUnreadableName, LossUnwatched, LossRebuilt, LossSwitchedOff:
		return false
	}
	return true
}
