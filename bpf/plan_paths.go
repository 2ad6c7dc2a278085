// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"fmt"

	"github.com/dtrec/dtrec/schema"
)

// walks returns the probes of path walks that open nothing.
func walks() []probe {
	var (
		walkParams   = []string{"", "filename", "", "path", "path"}
		parentParams = []string{"", "filename", "", "path", "qstr", "", "path"}
	)
	return []probe{
		{schema.RoleWalk, schema.Enter, false, []candidate{{"filename_lookup", 0, "walk_enter", walkParams, ""}}},
		{schema.RoleWalk, schema.Exit, false, []candidate{{"filename_lookup", 0, "walk_exit", walkParams, ""}}},
		{schema.RoleWalkParent, schema.Enter, false, []candidate{
			{"__filename_parentat", 0, "parent_enter", parentParams, ""},
			{"filename_parentat", 0, "parent_enter", parentParams[:6], "filename"}, // until 5.14
		}},
		{schema.RoleWalkParent, schema.Exit, false, []candidate{
			{"__filename_parentat", 0, "parent_exit", parentParams, ""},
			{"filename_parentat", 0, "parent6_exit", parentParams[:6], "filename"},
		}},
	}
}

// pathOperations lists the operations on paths: functions with this many parameters that return an int which
// may be an error. The symbols that exist from 7.0 on come last.
var pathOperations = []struct {
	role    schema.Role
	program string
	params  int
	symbols []string
	wider   string // symbol with one parameter more; its programs' names end in that number; empty: none
}{
	{schema.RoleStat, "stat", 5, []string{"vfs_statx"}, ""},
	{schema.RoleAccess, "access", 4, []string{"do_faccessat"}, ""},
	{schema.RoleReadlink, "readlink", 4, []string{"do_readlinkat"}, ""},
	{schema.RoleChdir, "chdir", 1, []string{"__x64_sys_chdir", "__arm64_sys_chdir"}, ""},
	{schema.RoleExecve, "execve", 1, []string{"__x64_sys_execve", "__arm64_sys_execve"}, ""},
	{schema.RoleMkdir, "mkdir", 3, []string{"do_mkdirat", "filename_mkdirat"}, ""},
	{schema.RoleMknod, "mknod", 4, []string{"do_mknodat", "filename_mknodat"}, ""},
	{schema.RoleUnlinkat, "unlinkat", 2, []string{"do_unlinkat", "filename_unlinkat"}, ""},
	{schema.RoleRmdir, "rmdir", 2, []string{"do_rmdir", "filename_rmdir"}, ""},
	{schema.RoleRename, "rename", 5, []string{"do_renameat2", "filename_renameat2"}, ""},
	{schema.RoleLink, "link", 5, []string{"do_linkat", "filename_linkat"}, ""},
	{schema.RoleSymlink, "symlink", 3, []string{"do_symlinkat", "filename_symlinkat"}, ""},
	{schema.RoleMount, "mount", 1, []string{"__x64_sys_mount", "__arm64_sys_mount"}, ""}, // do_mount is inlined there, as do_fchmodat is in the next ones
	{schema.RoleChmod, "chmod", 1, []string{"__x64_sys_chmod"}, ""},                      // arm64 has no chmod
	{schema.RoleFchmodat, "fchmodat", 1, []string{"__x64_sys_fchmodat", "__arm64_sys_fchmodat"}, ""},
	{schema.RoleChown, "chown", 5, []string{"do_fchownat"}, ""},
	{schema.RoleUtimes, "utimes", 4, []string{"do_utimes"}, ""},
	{schema.RoleStatfs, "statfs", 2, []string{"user_statfs"}, ""},
	{schema.RoleTruncate, "truncate", 1, []string{"__x64_sys_truncate", "__arm64_sys_truncate"}, ""},
	{schema.RoleExecveat, "execveat", 1, []string{"__x64_sys_execveat", "__arm64_sys_execveat"}, ""},
	{schema.RoleGetxattr, "getxattr", 5, []string{"path_getxattr"}, "path_getxattrat"}, // from 6.13, as in the next rows
	{schema.RoleSetxattr, "setxattr", 6, []string{"path_setxattr"}, "path_setxattrat"},
	{schema.RoleListxattr, "listxattr", 4, []string{"path_listxattr"}, "path_listxattrat"},
	{schema.RoleRemovexattr, "removexattr", 3, []string{"path_removexattr"}, "path_removexattrat"},
}

// operations returns the probes of pathOperations.
func operations() []probe {
	var probes []probe
	for _, o := range pathOperations {
		var enter, exit []candidate
		add := func(symbol, program string, params int) {
			enter = append(enter, candidate{symbol, 0, program + "_enter", make([]string, params), ""})
			exit = append(exit, candidate{symbol, 0, program + "_exit", make([]string, params), ""})
		}
		for _, symbol := range o.symbols {
			add(symbol, o.program, o.params)
		}
		if o.wider != "" {
			add(o.wider, fmt.Sprint(o.program, o.params+1), o.params+1)
		}
		probes = append(probes, probe{o.role, schema.Enter, false, enter}, probe{o.role, schema.Exit, false, exit})
	}
	return probes
}
