// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import "golang.org/x/sys/unix"

// systemCalls uses every system call there is for each operation, on files of its own. A kernel's
// compiler may have inlined the function that two system calls share into one of them and not into the
// other.
func systemCalls(dir string) {
	cwd, file, link, mounted := unix.AT_FDCWD, dir+"/calls", dir+"/calls-link", dir+"/calls-mounted"
	touch(file)
	report(use{Way: "mkdir", Path: mounted}, unix.Mkdirat(cwd, mounted, 0o755))
	report(use{Way: "symlink", Path: link}, unix.Symlinkat("calls", cwd, link))
	var st unix.Stat_t
	var sx unix.Statx_t
	var fs unix.Statfs_t
	for _, c := range []struct {
		op  string
		err error
	}{
		{"stat", unix.Stat(file, &st)}, {"stat", unix.Lstat(file, &st)}, {"stat", unix.Statx(cwd, file, 0, unix.STATX_ALL, &sx)},
		{"access", unix.Access(file, unix.R_OK)}, {"access", unix.Faccessat(cwd, file, unix.R_OK, unix.AT_EACCESS)},
		{"chmod", unix.Chmod(file, 0o600)}, {"chmod", unix.Fchmodat(cwd, file, 0o600, 0)}, {"fchmodat2 walk", fchmodat2(file)},
		{"chown", unix.Chown(file, 0, 0)}, {"chown", unix.Lchown(file, 0, 0)}, {"chown", unix.Fchownat(cwd, file, 0, 0, 0)},
		{"utimes", unix.Utime(file, nil)}, {"utimes", unix.Utimes(file, nil)}, {"utimes", unix.Futimesat(cwd, file, nil)},
		{"utimes", unix.UtimesNanoAt(cwd, file, nil, 0)}, {"statfs", unix.Statfs(file, &fs)}, {"truncate", unix.Truncate(file, 9)},
	} {
		report(use{Way: c.op, Path: file}, c.err)
	}
	_, err := unix.Readlinkat(cwd, link, make([]byte, 9))
	report(use{Way: "readlink", Path: link}, err)
	report(use{Way: "mknod", Path: file + "-fifo"}, unix.Mknodat(cwd, file+"-fifo", unix.S_IFIFO|0o600, 0))
	report(use{Way: "link", Path: file, Target: file + "-hard"}, unix.Linkat(cwd, file, cwd, file+"-hard", 0))
	report(use{Way: "rename", Path: file + "-hard", Target: file + "-renamed"}, unix.Renameat(cwd, file+"-hard", cwd, file+"-renamed"))
	report(use{Way: "unlink", Path: file + "-renamed"}, unix.Unlinkat(cwd, file+"-renamed", 0))
	report(use{Way: "mount", Path: mounted}, unix.Mount("none", mounted, "tmpfs", 0, ""))
	report(use{Way: "umount walk", Path: mounted}, unix.Unmount(mounted, 0))
	report(use{Way: "mount", Path: mounted, Target: dir}, unix.Mount(dir, mounted, "", unix.MS_BIND, ""))
	report(use{Way: "umount walk", Path: mounted}, unix.Unmount(mounted, 0))
	report(use{Way: "rmdir", Path: mounted}, unix.Unlinkat(cwd, mounted, unix.AT_REMOVEDIR))
}

// fchmodat2 makes the system call that Linux has since 6.6.
func fchmodat2(path string) error {
	name, err := unix.BytePtrFromString(path)
	check(err)
	if _, _, errno := unix.Syscall6(unix.SYS_FCHMODAT2, fdArg(unix.AT_FDCWD), address(name), 0o600, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
