// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// identity is a user whom a process can run as.
type identity struct {
	uid, gid   uint32
	groups     []uint32
	name, home string // empty for a uid without an account
}

// sudoCaller returns the user who called sudo; nil if nobody or root did.
func sudoCaller(getenv func(string) string) *identity {
	uid, err := strconv.ParseUint(getenv("SUDO_UID"), 10, 32)
	if err != nil || uid == 0 || os.Geteuid() != 0 {
		return nil
	}
	if id, err := lookupUser(getenv("SUDO_UID")); err == nil {
		return id
	}
	gid, err := strconv.ParseUint(getenv("SUDO_GID"), 10, 32)
	if err != nil {
		return nil
	}
	return &identity{uid: uint32(uid), gid: uint32(gid)}
}

// lookupUser finds an account by name or uid, with its groups.
func lookupUser(name string) (*identity, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if _, numeric := strconv.ParseUint(name, 10, 32); numeric != nil {
			return nil, fmt.Errorf("no user %q", name)
		}
		if u, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("no user %q", name)
		}
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %q: %w", name, err)
	}
	id := &identity{name: u.Username, home: u.HomeDir}
	if id.uid, err = parseID(u.Uid); err != nil {
		return nil, err
	}
	if id.gid, err = parseID(u.Gid); err != nil {
		return nil, err
	}
	for _, s := range ids {
		gid, err := parseID(s)
		if err != nil {
			return nil, err
		}
		id.groups = append(id.groups, gid)
	}
	return id, nil
}

func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("id %q: %w", s, err)
	}
	return uint32(n), nil
}

// commandUser returns the user that the command runs as; nil for the current one.
func (c *Config) commandUser() (*identity, error) {
	if c.User == "" {
		return sudoCaller(os.Getenv), nil
	}
	id, err := lookupUser(c.User)
	if err != nil {
		return nil, err
	}
	if id.uid != uint32(os.Geteuid()) && os.Geteuid() != 0 {
		return nil, fmt.Errorf("only root can run the command as user %q", c.User)
	}
	return id, nil
}

func (id *identity) credential() *syscall.Credential {
	return &syscall.Credential{Uid: id.uid, Gid: id.gid, Groups: id.groups}
}

// environment returns env with HOME, USER and LOGNAME replaced by the account's.
func (id *identity) environment(env []string) []string {
	if id.name == "" {
		return env
	}
	var out []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if name != "HOME" && name != "USER" && name != "LOGNAME" {
			out = append(out, v)
		}
	}
	return append(out, "HOME="+id.home, "USER="+id.name, "LOGNAME="+id.name)
}
