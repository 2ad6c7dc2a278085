// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// fmodeExec is __FMODE_EXEC of include/linux/fs.h: execve opens with it.
const fmodeExec = 0x20

// program follows which processes have just been given a new program.
func (s *State) program(e *schema.Event) {
	switch e.Role {
	case schema.RoleExec:
		s.loading[e.PID] = true
	case schema.RoleExit:
		if e.PID == e.TID {
			delete(s.loading, e.PID)
		}
	}
}

// loader reports whether an open is made on the way to the program's first own
// one: by execve itself, or by the dynamic loader or language runtime after it.
func (s *State) loader(e *schema.Event) bool {
	if e.Flags&fmodeExec != 0 {
		return true
	}
	if !s.loading[e.PID] {
		return false
	}
	if isLoaderPath(e.Name) {
		return true
	}
	delete(s.loading, e.PID)
	return false
}

// isLoaderPath knows the files that ld.so and the Go runtime read before main.
func isLoaderPath(path string) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	return strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.") ||
		path == "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
}
