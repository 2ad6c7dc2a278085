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

// dropPrivileges gives up every capability but what the rest of the recording takes. What
// is root's to own stays root's: that is how probes made through tracefs are taken back.
func (s *session) dropPrivileges() error {
	var keep uint64
	for _, c := range s.config.capabilities() {
		keep |= 1 << c
	}
	return limitCapabilities(keep)
}

// capabilities are what a recording that has begun needs: to ask the kernel about what
// was attached (where unprivileged BPF is off, all of bpf(2) takes one), to hand a signal
// on to a command that is another user's, to remove the workloads' files from a directory
// that is, and to make and remove files of the user behind sudo there.
func (c *Config) capabilities() []uint {
	needed := []uint{unix.CAP_BPF, unix.CAP_SYS_ADMIN} // the second only without the first
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

// limitCapabilities takes all others from every thread. A build with cgo may have threads
// that Go does not know, and cannot.
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
