// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"bytes"
	"io"

	"github.com/dtrec/dtrec/schema"
)

// JoinLeaves gives a recording the form that it has since leaf calls are one event: an entry and an exit with
// no event of their thread in between become one event, at the place of the exit.
func JoinLeaves(trace []byte) ([]byte, error) {
	in, err := schema.NewReader(bytes.NewReader(trace), 1)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	h := in.Header()
	var probes []*schema.Probe
	for _, p := range h.Probe {
		if p.Role.Is(schema.TraitLeaf) {
			if p.Phase == schema.Enter {
				continue
			}
			p.Phase = schema.Whole
		}
		probes = append(probes, p)
	}
	h.Probe = probes
	var out bytes.Buffer
	w, err := schema.NewWriter(&out, h)
	if err != nil {
		return nil, err
	}
	entries := make(map[uint32]*schema.Event) // by thread: the entry of a leaf, if it was the last event
	for {
		record, err := in.Next()
		if err == io.EOF {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		switch r := record.(type) {
		case *schema.Event:
			err = leaf(w, entries, *r)
		case *schema.Loss:
			err = w.Loss(r)
		case *schema.Program:
			err = w.Program(r)
		case *schema.Footer:
			err = w.Close(&schema.Footer{EndNs: r.EndNs, EndedBy: r.EndedBy, ExitCode: r.ExitCode})
		}
		if err != nil {
			return nil, err
		}
	}
}

func leaf(w *schema.Writer, entries map[uint32]*schema.Event, e schema.Event) error {
	entry := entries[e.TID]
	delete(entries, e.TID)
	switch {
	case e.Role.Is(schema.TraitLeaf) && e.Phase == schema.Enter:
		entries[e.TID] = &e
		return nil
	case entry != nil && e.Role == entry.Role && e.Phase == schema.Exit:
		e.Entry, entry = entry, nil
	}
	if entry != nil {
		if err := w.Append(entry); err != nil {
			return err
		}
	}
	return w.Append(&e)
}
