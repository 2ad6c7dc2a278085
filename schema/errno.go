// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
	"slices"
	"strconv"
)

// ErrnoName returns the name of a positive errno on Linux, wherever the trace is
// read; empty where it has none. Source: include/uapi/asm-generic/errno-base.h and
// errno.h.
func ErrnoName(n int) string {
	if n < 0 || n >= len(errnoNames) {
		return ""
	}
	return errnoNames[n]
}

// ErrnoText spells a positive errno as the kernel returns it and errno(3) names it: −2 (ENOENT).
func ErrnoText(n int) string {
	if name := ErrnoName(n); name != "" {
		return fmt.Sprintf("−%d (%s)", n, name)
	}
	return fmt.Sprintf("−%d", n)
}

// maxErrno is MAX_ERRNO of include/linux/err.h: the last 4095 addresses are errors.
const maxErrno = 4095

// Errno returns the positive errno in an ERR_PTR or a negative int, or 0 when v is neither.
func Errno(v uint64) int {
	if v > ^uint64(maxErrno) {
		return int(-int64(v))
	}
	return 0
}

// ErrnoNumber returns the errno of a name, or of a positive number in decimal; 0: it is none.
func ErrnoNumber(name string) int {
	if n, err := strconv.ParseUint(name, 10, 12); err == nil {
		return int(n)
	}
	if n := slices.Index(errnoNames[:], name); name != "" && n > 0 {
		return n
	}
	return 0
}

var errnoNames = [...]string{
	1: "EPERM", 2: "ENOENT", 3: "ESRCH", 4: "EINTR", 5: "EIO", 6: "ENXIO", 7: "E2BIG", 8: "ENOEXEC",
	9: "EBADF", 10: "ECHILD", 11: "EAGAIN", 12: "ENOMEM", 13: "EACCES", 14: "EFAULT", 15: "ENOTBLK",
	16: "EBUSY", 17: "EEXIST", 18: "EXDEV", 19: "ENODEV", 20: "ENOTDIR", 21: "EISDIR", 22: "EINVAL",
	23: "ENFILE", 24: "EMFILE", 25: "ENOTTY", 26: "ETXTBSY", 27: "EFBIG", 28: "ENOSPC", 29: "ESPIPE",
	30: "EROFS", 31: "EMLINK", 32: "EPIPE", 33: "EDOM", 34: "ERANGE", 35: "EDEADLK", 36: "ENAMETOOLONG",
	37: "ENOLCK", 38: "ENOSYS", 39: "ENOTEMPTY", 40: "ELOOP", 61: "ENODATA", 62: "ETIME", 71: "EPROTO",
	75: "EOVERFLOW", 95: "EOPNOTSUPP", 108: "ESHUTDOWN", 110: "ETIMEDOUT", 111: "ECONNREFUSED",
	112: "EHOSTDOWN", 113: "EHOSTUNREACH", 116: "ESTALE", 121: "EREMOTEIO", 122: "EDQUOT",
	123: "ENOMEDIUM", 124: "EMEDIUMTYPE", 125: "ECANCELED", 126: "ENOKEY",
}
