// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// Write writes the run as a complete trace. writer is the program that does it, and
// its version.
func (r *Run) Write(w io.Writer, writer string) error {
	t, err := schema.NewWriter(w, r.header(writer))
	if err != nil {
		return err
	}
	for i := range r.Events {
		if err := t.Append(&r.Events[i]); err != nil {
			return err
		}
	}
	return t.Close(&schema.Footer{EndNs: r.Last, EndedBy: "the end of the log"})
}

func (r *Run) header(writer string) *schema.Header {
	return &schema.Header{
		Writer: writer,
		RunId:  r.id(),
		Kernel: &schema.Kernel{Release: cmp.Or(r.Release, schema.Unknown), Version: r.Version, Machine: schema.Unknown},
		Probe:  r.probes(),
		Layout: &schema.Layout{},
		Target: "the tasks of a kernel log, which does not name them",
	}
}

// id is the same for the same events.
func (r *Run) id() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", r.Release)
	for i := range r.Events {
		e := &r.Events[i]
		fmt.Fprintf(h, "%d %d %d %d %x %q %d %d %x %x %q %d %q\n", e.Time, e.Role, e.Phase, e.Columns, e.Parent, e.Name, e.NameLen, e.Hash,
			e.NameAddr, e.Ret, e.Comm, e.TID, e.Symbol)
	}
	return h.Sum(nil)[:16]
}

// probes lists what the lines show to have been probed, and what the module says was
// not. None of it counts the hits that have no line.
func (r *Run) probes() []*schema.Probe {
	type place struct {
		role   schema.Role
		phase  schema.Phase
		symbol string
	}
	var places []place
	seen := make(map[place]bool)
	for i := range r.Events {
		e := &r.Events[i]
		if p := (place{e.Role, e.Phase, e.Symbol}); !seen[p] {
			seen[p] = true
			places = append(places, p)
		}
	}
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.role, b.role), cmp.Compare(a.phase, b.phase))
	})
	var out []*schema.Probe
	for _, p := range places {
		out = append(out, &schema.Probe{Role: p.role, Phase: p.phase, Symbol: p.symbol,
			Attach: schema.Attach_ATTACH_DMESG, Attached: true, Uncounted: true})
	}
	slices.Sort(r.Missing)
	for _, symbol := range slices.Compact(r.Missing) {
		out = append(out, &schema.Probe{Role: roleOf(symbol), Phase: schema.Enter, Symbol: symbol,
			Attach: schema.Attach_ATTACH_DMESG, Error: "optional probe not registered, the log says"})
	}
	return out
}
