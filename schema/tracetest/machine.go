// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Machine says where a simulated kernel keeps things and what it calls them. The same actions on two
// machines differ in nothing else. The zero Machine is that of Header, NewKernel and Generate.
type Machine struct {
	Release  string                 // of the kernel
	RunID    string                 // 16 bytes
	Base     uint64                 // added to every address
	Occupied int                    // dentries in the slab before the recording
	PIDs     uint32                 // added to every process id
	Later    uint64                 // nanoseconds by which everything happens later
	Clock    int64                  // CLOCK_REALTIME at the start, nanoseconds since 1970
	Inline   uint32                 // size of the inline name, bytes; 0: 40
	External uint32                 // offset of the name in struct external_name; 0: 24
	Symbols  map[schema.Role]string // in place of those of Symbol
	Unlink   bool                   // vfs_unlink is recorded

	OldestFirst bool // drop_caches kills in the opposite order
}

const (
	hashtable  = 0xffff888000200000
	hashShift  = 14
	slabBase   = 0xffff888100000000
	inodeBase  = 0xffff888200000000
	pathBase   = 0xffff888300000020
	fileBase   = 0xffff888400000000
	nameBase   = 0xffff888500000018
	dentrySize = 192
	inlineName = 56
)

// at returns where the machine has what the zero Machine has at addr.
func (m Machine) at(addr uint64) uint64 { return addr + m.Base }

func (m Machine) root() uint64 { return m.at(slabBase + 0x40) }

// inline returns the size of the inline name, bytes.
func (m Machine) inline() uint32 { return cmp.Or(m.Inline, 40) }

// buffer returns the address of the task's path names.
func (k *Kernel) buffer() uint64 { return k.m.at(pathBase) + uint64(k.ev.PID)<<12 }

// Header returns a complete header of an imagined x86-64 kernel.
func Header() *schema.Header { return Machine{}.Header() }

// Header returns a complete header of the machine.
func (m Machine) Header() *schema.Header {
	h := &schema.Header{
		Writer: "tracetest", RunId: []byte(cmp.Or(m.RunID, "0123456789abcdef")), StartUnixNs: 1 + m.Clock, StartBootNs: 1,
		Kernel: &schema.Kernel{Release: cmp.Or(m.Release, "6.12.0-test"), Version: "#1", Machine: "x86_64"},
		Layout: &schema.Layout{
			DentrySize: dentrySize, DHash: 8, DParent: 24, DName: 32, DInode: 48, InlineName: inlineName,
			InlineNameSize: m.inline(), InlineNameField: "d_shortname", ExternalName: cmp.Or(m.External, 24), FilenameIname: 32,
			DentryHashtable: m.at(hashtable), DHashShift: hashShift, PageSize: 4096,
			NameHash: schema.NameHash_NAME_HASH_WORD64_LE,
		},
		RingBufferBytes: 16 << 20, WatchLimit: 65536, ParentsWatched: true,
	}
	for _, info := range schema.Catalogue() {
		if info.Role == schema.RoleUnlink && !m.Unlink {
			continue
		}
		for _, phase := range []schema.Phase{schema.Enter, schema.Exit} {
			if info.Role.Shape(phase) != nil {
				h.Probe = append(h.Probe, &schema.Probe{Role: info.Role, Phase: phase, Attached: true,
					Symbol: cmp.Or(m.Symbols[info.Role], Symbol(info.Role)), Attach: schema.Attach_ATTACH_FENTRY})
			}
		}
	}
	return h
}

// Symbol returns the zero Machine's symbol for a role: the one that the catalogue's Doc names.
func Symbol(r schema.Role) string {
	info, _ := r.Info()
	_, symbol, _ := strings.Cut(info.Doc, ": ")
	symbol, _, _ = strings.Cut(symbol, ";")
	if strings.Contains(symbol, " ") {
		return info.Name // words, not a symbol
	}
	return symbol
}

// Bytes returns a complete trace of what gen does on a kernel of the machine. The seed determines times and
// the addresses of inodes.
func (m Machine) Bytes(seed uint64, gen func(*Kernel)) ([]byte, error) {
	return write(m.Header(), func(emit func(*schema.Event)) { gen(m.NewKernel(seed, emit)) })
}

// write returns a complete trace.
func write(h *schema.Header, gen func(emit func(*schema.Event))) ([]byte, error) {
	var buf bytes.Buffer
	w, err := schema.NewWriter(&buf, h)
	if err != nil {
		return nil, err
	}
	gen(func(e *schema.Event) {
		if err == nil {
			err = w.Append(e)
		}
	})
	if err == nil {
		err = w.Close(&schema.Footer{EndNs: 1 << 40, EndedBy: "command"})
	}
	return buf.Bytes(), err
}
