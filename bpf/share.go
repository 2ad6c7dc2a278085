// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"github.com/cilium/ebpf/link"
	"github.com/dtrec/dtrec/schema"
)

// attachShared makes one link of kprobe.multi for all probes that share a program, and returns the candidates
// that it holds. The map is empty if the kernel has no kprobe.multi or refuses one of the symbols. Each probe
// is then attached separately, and its attempts say why that fails, if it does.
func (a *attacher) attachShared(plan []probe, wanted func(probe) bool) map[*candidate]*attached {
	held := make(map[*candidate]*attached)
	for _, program := range []struct {
		name   string
		attach schema.Attach
	}{{"operation_enter", schema.KprobeMulti}, {"operation_exit", schema.KretprobeMulti}} {
		var places []*candidate
		var symbols link.KprobeMultiOptions
		for _, p := range plan {
			if p.sharedProgram() != program.name || !wanted(p) {
				continue
			}
			if c := a.fitting(p, program.attach); c != nil {
				places = append(places, c)
				symbols.Symbols = append(symbols.Symbols, c.symbol)
				symbols.Cookies = append(symbols.Cookies, uint64(p.role))
			}
		}
		if len(places) < 2 || a.ensureKprobes() != nil {
			continue
		}
		one, err := a.attachOne(schema.Role_ROLE_UNSPECIFIED, candidate{program: program.name, attach: program.attach}, symbols)
		if err != nil {
			continue
		}
		for _, c := range places {
			held[c] = one
		}
	}
	return held
}

// fitting returns the first candidate in the plan whose function the kernel has, if the plan begins with the
// given way of attaching; otherwise nil.
func (a *attacher) fitting(p probe, attach schema.Attach) *candidate {
	if p.candidates[0].attach != attach {
		return nil
	}
	for i := range p.candidates {
		if c := &p.candidates[i]; c.attach == attach && a.checkPrototype(*c) == nil {
			return c
		}
	}
	return nil
}
