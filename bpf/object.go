// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Of the section .BTF.ext (Documentation/bpf/btf.rst): extLineLength is where its header has the length of
// the line infos. extNoLines is that length without any, since the first word, the size of a record, remains.
const (
	extLineLength = 20
	extNoLines    = 4
)

// readObject reads a compiled unit without its line infos and function infos. They are half of what there is
// to parse, and with them the kernel would be given BTF types for each program.
func readObject(object []byte) (*ebpf.CollectionSpec, error) {
	file, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	if ext := file.Section(".BTF.ext"); ext != nil && ext.Size >= extLineLength+4 {
		object = bytes.Clone(object)
		binary.LittleEndian.PutUint32(object[ext.Offset+extLineLength:], extNoLines)
	}
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	for _, p := range spec.Programs {
		for i, ins := range p.Instructions {
			if btf.FuncMetadata(&ins) != nil {
				p.Instructions[i] = btf.WithFuncMetadata(ins, nil)
			}
		}
	}
	return spec, nil
}
