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

// Write writes the run as a complete trace. writer is the name and version of the writing program.
func (r *Run) Write(w io.Writer, writer string) error {
	t, err := schema.NewWriter(w, r.header(writer))
	if err != nil {
		return err
	}
	lost, sum := r.Lost, uint64(0)
	for i := range r.Events {
		for ; len(lost) > 0 && lost[0].Before <= i; lost = lost[1:] {
			if err := t.Loss(lost[0].Loss); err != nil {
				return err
			}
			sum += lost[0].Loss.Count
		}
		if err := t.Append(&r.Events[i]); err != nil {
			return err
		}
	}
	for _, l := range lost {
		if err := t.Loss(l.Loss); err != nil {
			return err
		}
		sum += l.Loss.Count
	}
	return t.Close(&schema.Footer{EndNs: r.Last, Lost: sum, EndedBy: "the end of the log"})
}

func (r *Run) header(writer string) *schema.Header {
	return &schema.Header{
		Writer: writer,
		RunId:  r.id(),
		Kernel: &schema.Kernel{Release: cmp.Or(r.Release, schema.UnknownKernel), Version: r.Version, Machine: cmp.Or(r.Machine, schema.UnknownKernel)},
		Probe:  r.probes(),
		Layout: r.layout(),
		Target: r.target(),
	}
}

func (r *Run) target() string {
	if r.Printed {
		return "the tasks of a kernel log, which does not name them"
	}
	return "the tasks of the text of a trace buffer"
}

// layout returns what follows from the architecture: the name hash that dtrec record finds there.
func (r *Run) layout() *schema.Layout {
	l := &schema.Layout{}
	if r.Machine == "x86_64" {
		l.NameHash = schema.NameHash_NAME_HASH_WORD64_LE
	}
	return l
}

// attach returns where the run's lines come from.
func (r *Run) attach() schema.Attach {
	if r.Printed {
		return schema.Attach_ATTACH_DMESG
	}
	return schema.Attach_ATTACH_TEXT
}

// id returns an id that is the same for the same events.
func (r *Run) id() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", r.Release)
	for i := range r.Events {
		e := &r.Events[i]
		fmt.Fprintf(h, "%d %d %d %d %x %q %d %d %x %x %q %d %q\n", e.Time, e.Role, e.Phase, e.Columns, e.Parent, e.Name, e.NameLen, e.Hash,
			e.NameAddr, e.Ret, e.Comm, e.TID, e.Symbol)
		if !r.Printed {
			fmt.Fprintf(h, "%d %d %x %x %x %x\n", e.CPU, e.PID, e.Dentry, e.Inode, e.Bucket, e.Target)
		}
	}
	return h.Sum(nil)[:16]
}

// probes lists the probes that the lines show, and those that the module reports as missing. All are
// uncounted, as nothing says how many hits have no line.
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
			Attach: r.attach(), Attached: true, Uncounted: true})
	}
	slices.Sort(r.Missing)
	for _, symbol := range slices.Compact(r.Missing) {
		out = append(out, &schema.Probe{Role: roleOf(symbol), Phase: schema.Enter, Symbol: symbol,
			Attach: r.attach(), Error: "optional probe not registered, the log says"})
	}
	return out
}
