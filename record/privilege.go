// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropPrivileges gives up every capability that the rest of the recording does not need. The user id stays
// root, because only root can remove the probes made through tracefs.
func (s *session) dropPrivileges() error {
	var keep uint64
	for _, c := range s.config.capabilities() {
		keep |= 1 << c
	}
	return limitCapabilities(keep)
}

// capabilities returns the capabilities that a recording needs after its start: to query the attached probes
// (where unprivileged BPF is off, every bpf(2) call needs one), to pass a signal on to a command that runs as
// another user, to remove the workloads' files from a directory of another user, and to create and remove
// files of the user who called sudo.
func (c *Config) capabilities() []uint {
	needed := []uint{unix.CAP_BPF, unix.CAP_SYS_ADMIN} // CAP_SYS_ADMIN is kept only if CAP_BPF is not permitted, see limitCapabilities
	if user, err := c.commandUser(); len(c.Command) > 0 && err == nil && user != nil && user.uid != uint32(os.Geteuid()) {
		needed = append(needed, unix.CAP_KILL)
	}
	if len(c.Workloads) > 0 {
		needed = append(needed, unix.CAP_DAC_OVERRIDE)
	}
	if c.Rotate > 0 {
		needed = append(needed, unix.CAP_DAC_OVERRIDE, unix.CAP_CHOWN, unix.CAP_FOWNER)
	}
	return needed
}

// limitCapabilities removes all capabilities except those in keep, a mask by number, from every thread. It does
// nothing in a build with cgo, which may have threads that Go does not know.
func limitCapabilities(keep uint64) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var now [2]unix.CapUserData
	if err := unix.Capget(&header, &now[0]); err != nil {
		return err
	}
	if now[unix.CAP_BPF/32].Permitted&(1<<(unix.CAP_BPF%32)) != 0 {
		keep &^= 1 << unix.CAP_SYS_ADMIN
	}
	next := [2]unix.CapUserData{}
	for i := range next {
		left := now[i].Permitted & uint32(keep>>(32*i))
		next[i].Effective, next[i].Permitted = left, left
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&next)), 0)
	if errno != 0 && !errors.Is(errno, syscall.ENOTSUP) {
		return errno
	}
	return nil
}
