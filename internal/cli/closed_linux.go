// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// isClosed reports whether a file was closed when dtrec began. The Go runtime has put
// /dev/null there, open for reading as well, which nobody does who wants output thrown away.
func isClosed(f *os.File) bool {
	var null unix.Stat_t
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR && unix.Fstat(int(f.Fd()), &null) == nil &&
		null.Mode&unix.S_IFMT == unix.S_IFCHR && null.Rdev == unix.Mkdev(1, 3)
}
