// SPDX-License-Identifier: Apache-2.0

//go:build linux

package workload

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// step is one statement of a program: a call from the table below, or a few lines of C and the Go code that
// does the same.
type step struct {
	call       string     // key of calls; empty if run is set
	args       []any      // paths, texts, variables, flags, modes, numbers
	result     variable   // receives the result; empty if it is dropped
	closes     bool       // close the returned descriptor in the same line
	wantErr    unix.Errno // expected error; 0 if it must succeed
	orErr      unix.Errno // this error is accepted too, for filesystems without the operation
	note       string     // comment behind the C line
	extraFiles []string   // files it creates in addition to those the table says

	before, source []string // instead of a call: C lines before main and in main
	run            func(*state) error
}

// Types of arguments that are spelled differently in C than a string or a number.
type (
	variable string // name of a variable that holds a descriptor or a name
	flags    int    // open flags
	mode     uint32
)

// state holds the variables of a running program.
type state struct {
	comm   string
	fds    map[variable]int
	names  map[variable]string
	stdout int
}

// calls are the calls that programs may make: how each is done, and which of its arguments name files that it
// creates.
var calls = map[string]struct {
	do      func(*arguments) (fd int, err error)
	creates []int
}{
	"open": {func(a *arguments) (int, error) { return unix.Open(a.path(0), a.number(1), uint32(a.number(2))) }, []int{0}},
	"openat": {func(a *arguments) (int, error) {
		return unix.Openat(a.fd(0), a.path(1), a.number(2), uint32(a.number(3)))
	}, nil},
	"creat":   {func(a *arguments) (int, error) { return unix.Creat(a.path(0), uint32(a.number(1))) }, []int{0}},
	"close":   {func(a *arguments) (int, error) { return 0, unix.Close(a.fd(0)) }, nil},
	"mkdir":   {func(a *arguments) (int, error) { return 0, unix.Mkdir(a.path(0), uint32(a.number(1))) }, []int{0}},
	"rename":  {func(a *arguments) (int, error) { return 0, unix.Rename(a.path(0), a.path(1)) }, []int{0, 1}},
	"link":    {func(a *arguments) (int, error) { return 0, unix.Link(a.path(0), a.path(1)) }, []int{1}},
	"symlink": {func(a *arguments) (int, error) { return 0, unix.Symlink(a.path(0), a.path(1)) }, []int{1}},
	"unlink":  {func(a *arguments) (int, error) { return 0, unix.Unlink(a.path(0)) }, nil},
	"chdir":   {func(a *arguments) (int, error) { return 0, unix.Chdir(a.path(0)) }, nil},
	"sync":    {func(*arguments) (int, error) { unix.Sync(); return 0, nil }, nil},
	"write":   {func(a *arguments) (int, error) { return unix.Write(a.fd(0), []byte(a.path(1))) }, nil},
	"pwrite":  {func(a *arguments) (int, error) { return unix.Pwrite(a.fd(0), []byte(a.path(1)), int64(a.number(3))) }, nil},
	"printf": {func(a *arguments) (int, error) {
		return unix.Write(a.stdout, fmt.Appendf(nil, a.path(0), a.fd(1)))
	}, nil},
}

// arguments are the arguments of a running step.
type arguments struct {
	*state
	args []any
}

func (a *arguments) arg(n int) any {
	if n < len(a.args) {
		return a.args[n]
	}
	return 0
}

func (a *arguments) path(n int) string {
	if v, ok := a.arg(n).(variable); ok {
		return a.names[v]
	}
	s, _ := a.arg(n).(string)
	return s
}

func (a *arguments) fd(n int) int {
	v, _ := a.arg(n).(variable)
	return a.fds[v]
}

func (a *arguments) number(n int) int {
	switch v := a.arg(n).(type) {
	case flags:
		return int(v)
	case mode:
		return int(v)
	case int:
		return v
	}
	return 0
}

// call returns a step that calls name with these arguments.
func call(name string, args ...any) step { return step{call: name, args: args} }

// into assigns the step's result to a variable.
func (s step) into(v variable) step { s.result = v; return s }

// failing marks a step that must fail with this error.
func (s step) failing(errno unix.Errno) step { s.wantErr = errno; return s }

// closed makes the step close the descriptor it returns.
func (s step) closed() step { s.closes = true; return s }

// execute runs a step. Like the C it stands for, it sets its variable even if the call fails, to -1.
func (s *step) execute(state *state) error {
	if s.run != nil {
		return s.run(state)
	}
	a := &arguments{state, s.args}
	fd, err := calls[s.call].do(a)
	if err != nil {
		fd = -1
	} else if s.closes {
		err = unix.Close(fd)
	}
	if s.result != "" {
		state.fds[s.result] = fd
	}
	switch what := strings.TrimSpace(s.call + " " + a.path(0)); {
	case s.wantErr != 0 && err == nil:
		return fmt.Errorf("%s: it was to fail with: %w", what, s.wantErr)
	case err == nil, s.wantErr != 0 && errors.Is(err, s.wantErr), s.orErr != 0 && errors.Is(err, s.orErr):
		return nil
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// sourceLines returns the step in C.
func (s *step) sourceLines() []string {
	if s.call == "" {
		return s.source
	}
	var args []string
	for _, a := range s.args {
		args = append(args, spellC(a))
	}
	c := s.call + "(" + strings.Join(args, ", ") + ")"
	if s.closes {
		c = "close(" + c + ")"
	}
	if s.result != "" {
		c = "int " + string(s.result) + " = " + c
	}
	if c += ";"; s.note != "" {
		c += " // " + s.note
	}
	return []string{c}
}

// createdFiles returns the files that the step creates or expects to be absent.
func (s *step) createdFiles() []string {
	out := s.extraFiles
	for _, n := range calls[s.call].creates {
		path, ok := s.args[n].(string)
		if f, opens := (&arguments{args: s.args}).arg(1).(flags); opens && int(f)&unix.O_CREAT == 0 && s.wantErr != unix.ENOENT {
			continue
		}
		if ok {
			out = append(out, path)
		}
	}
	return out
}

// spellC returns an argument in C.
func spellC(a any) string {
	switch a := a.(type) {
	case string:
		return quote(a)
	case flags:
		return flagNames(int(a))
	case mode:
		return fmt.Sprintf("%#o", uint32(a))
	}
	return fmt.Sprint(a)
}

// quote returns a C string literal. Bytes other than printable ASCII are written in octal, since an octal
// escape ends after three digits and a hexadecimal one does not.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			b.WriteString(`\n`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03o`, c)
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}

// flagNames returns the flags of open in C. O_TMPFILE comes before O_DIRECTORY, whose bit it contains.
func flagNames(flags int) string {
	names := []string{[]string{"O_RDONLY", "O_WRONLY", "O_RDWR"}[flags&unix.O_ACCMODE]}
	for _, f := range []struct {
		bits int
		name string
	}{{unix.O_CREAT, "O_CREAT"}, {unix.O_EXCL, "O_EXCL"}, {unix.O_PATH, "O_PATH"}, {unix.O_NOFOLLOW, "O_NOFOLLOW"},
		{unix.O_TMPFILE, "O_TMPFILE"}, {unix.O_DIRECTORY, "O_DIRECTORY"}} {
		if flags&f.bits == f.bits {
			names = append(names, f.name)
			flags &^= f.bits
		}
	}
	return strings.Join(names, " | ")
}
