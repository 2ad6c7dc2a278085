// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
	"github.com/dtrec/dtrec/schema"
)

// kernelFacts holds what the programs must be told about the kernel.
type kernelFacts struct {
	mounted, opHash uint32 // bits of dentry.d_flags
}

// readLayout reads the layout of the kernel's structures from BTF. Only struct dentry must be there; fields
// that are not found stay 0.
func readLayout(spec *btf.Spec) (*schema.Layout, error) {
	l := &schema.Layout{PageSize: uint32(os.Getpagesize())}
	if slices.Contains([]string{"amd64", "arm64"}, runtime.GOARCH) {
		l.NameHash = schema.NameHash_NAME_HASH_WORD64_LE // the name hash of CONFIG_DCACHE_WORD_ACCESS, 64 bit, little endian
	}
	var dentry *btf.Struct
	if err := spec.TypeByName("dentry", &dentry); err != nil {
		return l, fmt.Errorf("struct dentry: %w", err)
	}
	l.DentrySize = dentry.Size
	l.DHash, _ = offset(dentry, "d_hash")
	l.DParent, _ = offset(dentry, "d_parent")
	l.DName, _ = offset(dentry, "d_name")
	l.DInode, _ = offset(dentry, "d_inode")
	for _, field := range []string{"d_shortname", "d_iname"} {
		if m, at, ok := member(dentry.Members, field); ok {
			size, _ := btf.Sizeof(m.Type)
			l.InlineName, l.InlineNameSize, l.InlineNameField = at, uint32(size), field
			break
		}
	}
	var external, filename *btf.Struct
	if spec.TypeByName("external_name", &external) == nil {
		l.ExternalName, _ = offset(external, "name")
	}
	if spec.TypeByName("filename", &filename) == nil {
		l.FilenameName, _ = offset(filename, "name")
		l.FilenameIname, _ = offset(filename, "iname")
	}
	return l, nil
}

func offset(s *btf.Struct, field string) (uint32, bool) {
	_, at, ok := member(s.Members, field)
	return at, ok
}

// member finds a field by name, also in nested anonymous structs and unions, and returns its offset in bytes.
func member(members []btf.Member, field string) (btf.Member, uint32, bool) {
	for _, m := range members {
		if m.Name == field {
			return m, m.Offset.Bytes(), true
		}
		if m.Name != "" {
			continue
		}
		if found, at, ok := member(membersOf(m.Type), field); ok {
			return found, m.Offset.Bytes() + at, true
		}
	}
	return btf.Member{}, 0, false
}

// membersOf returns the members of a struct or union; none for any other type.
func membersOf(t btf.Type) []btf.Member {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return t.Members
	case *btf.Union:
		return t.Members
	}
	return nil
}

// readFacts finds the bits of d_flags in enum dentry_flags. Kernels without that enum have the values that
// include/linux/dcache.h defined before.
func readFacts(spec *btf.Spec) kernelFacts {
	facts := kernelFacts{mounted: 0x10000, opHash: 0x1}
	var flags *btf.Enum
	if spec.TypeByName("dentry_flags", &flags) != nil {
		return facts
	}
	for _, v := range flags.Values {
		switch v.Name {
		case "DCACHE_MOUNTED":
			facts.mounted = uint32(v.Value)
		case "DCACHE_OP_HASH":
			facts.opHash = uint32(v.Value)
		}
	}
	return facts
}

// kallsyms looks symbols up in a kallsyms file and returns the addresses of those that the kernel itself has:
// 0 where addresses are hidden. Symbols of modules are left out.
func kallsyms(path string, names ...string) (map[string]uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found := make(map[string]uint64, len(names))
	for lines := bufio.NewScanner(f); lines.Scan() && len(found) < len(names); { // "ffffffff81000000 T _text", a hundred thousand lines
		line := lines.Bytes()
		name := line[bytes.LastIndexByte(line, ' ')+1:]
		at := slices.IndexFunc(names, func(n string) bool { return n == string(name) })
		if at < 0 {
			continue
		}
		addr, _, _ := strings.Cut(string(line), " ")
		if value, err := strconv.ParseUint(addr, 16, 64); err == nil {
			found[names[at]] = value
		}
	}
	return found, nil
}
