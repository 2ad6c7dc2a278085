// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// maker is a step that brings files into being, or counts on some being absent.
type maker interface{ makes() []string }

func (c creat) makes() []string { return []string{c.path} }

func (o open) makes() []string {
	if o.path != "" && o.at == "" && (o.errno == unix.ENOENT || o.flags&unix.O_CREAT != 0) {
		return []string{o.path}
	}
	return nil
}

// closed opens a file and closes it, in one line. That the open fails with or, on a
// filesystem that cannot do it, is as good.
type closed struct {
	open
	or unix.Errno
}

func (c closed) run(s *state) error {
	c.fd = "closed"
	if err := c.open.run(s); errors.Is(err, c.or) && c.or != 0 {
		return nil
	} else if err != nil {
		return err
	}
	return closeFD(c.fd).run(s)
}

func (c closed) source() []string {
	return []string{"close(" + strings.TrimSuffix(c.open.source()[0], ";") + ");"}
}

// mkdir makes a directory.
type mkdir string

func (m mkdir) run(*state) error { return failed("mkdir", string(m), unix.Mkdir(string(m), 0o755)) }

func (m mkdir) source() []string { return []string{"mkdir(" + quote(string(m)) + ", 0755);"} }

func (m mkdir) makes() []string { return []string{string(m)} }

// rename gives a file or directory another name, another parent, or both.
type rename struct {
	from, to string
	child    string // what is in the directory; empty for a file
}

func (r rename) run(*state) error { return failed("rename", r.from, unix.Rename(r.from, r.to)) }

func (r rename) source() []string {
	return []string{"rename(" + quote(r.from) + ", " + quote(r.to) + ");"}
}

func (r rename) makes() []string {
	if r.child != "" {
		return []string{r.from, r.to, r.to + "/" + r.child}
	}
	return []string{r.from, r.to}
}

// link gives an inode a second name.
type link struct{ from, to string }

func (l link) run(*state) error { return failed("link", l.to, unix.Link(l.from, l.to)) }

func (l link) source() []string {
	return []string{"link(" + quote(l.from) + ", " + quote(l.to) + ");"}
}

func (l link) makes() []string { return []string{l.to} }

// symlink makes a symbolic link.
type symlink struct{ target, path string }

func (l symlink) run(*state) error { return failed("symlink", l.path, unix.Symlink(l.target, l.path)) }

func (l symlink) source() []string {
	return []string{"symlink(" + quote(l.target) + ", " + quote(l.path) + ");"}
}

func (l symlink) makes() []string { return []string{l.path} }

// chdir changes the working directory.
type chdir string

func (c chdir) run(*state) error { return failed("chdir", string(c), unix.Chdir(string(c))) }

func (c chdir) source() []string { return []string{"chdir(" + quote(string(c)) + ");"} }

// nameIn begins a variable for a path in a directory.
type nameIn string

func (n nameIn) run(s *state) error { s.names["name"] = string(n); return nil }

func (n nameIn) source() []string {
	return []string{fmt.Sprintf("char name[%d] = %s;", len(n)+257, quote(string(n)))}
}

// nameOf puts a name of so many bytes into that variable.
type nameOf struct {
	dir   string
	bytes int
}

func (n nameOf) path() string { return n.dir + strings.Repeat("n", n.bytes) }

func (n nameOf) run(s *state) error { s.names["name"] = n.path(); return nil }

func (n nameOf) source() []string {
	return []string{fmt.Sprintf("memset(name + %d, 'n', %d);", len(n.dir), n.bytes),
		fmt.Sprintf("name[%d + %d] = 0;", len(n.dir), n.bytes)}
}

func (n nameOf) makes() []string {
	if n.bytes > 255 {
		return nil
	}
	return []string{n.path()}
}

// foldCase makes the empty directory whose descriptor is in a variable one that
// folds case. What flags it has must stay.
type foldCase string

const fsCasefoldFlag = 0x40000000 // FS_CASEFOLD_FL of linux/fs.h

func (f foldCase) run(s *state) error {
	fd := s.fds[string(f)]
	flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags|fsCasefoldFlag)
	}
	return failed("fold case in", string(f), err)
}

func (f foldCase) source() []string {
	return []string{"int flags;", "ioctl(" + string(f) + ", FS_IOC_GETFLAGS, &flags);", "flags |= FS_CASEFOLD_FL;",
		"ioctl(" + string(f) + ", FS_IOC_SETFLAGS, &flags);"}
}

// failed words the error of a call, nil for none.
func failed(call, path string, err error) error {
	if err != nil {
		return fmt.Errorf("%s %s: %w", call, path, err)
	}
	return nil
}
