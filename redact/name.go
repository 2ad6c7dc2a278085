// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// shortName is from how many bytes on two names have one token with a chance of less than
// 2^-72 each; tokens of shorter ones are kept, and no two are the same.
const shortName = 12

// maxNames bounds the short names that are kept apart: about 100 MB.
const maxNames = 1 << 20

// maxExtension is how long an extension may be, bytes without the dot.
const maxExtension = 8

// names gives every name a token as long as it is, the same one wherever it occurs. Without
// the key a name that is guessed cannot be tried.
type names struct {
	Options
	tasks  numbers           // all of the trace
	tokens map[string]string // of short names
	taken  map[string]bool   // tokens of short names
}

func newNames(o Options) *names {
	n := &names{Options: o, tokens: make(map[string]string), taken: make(map[string]bool)}
	if n.Key == nil {
		n.Key = make([]byte, sha256.Size)
		rand.Read(n.Key) // never fails
	}
	return n
}

// path gives each component its token: what begins alike still does, directory by directory.
func (n *names) path(path string) (string, error) {
	parts := strings.Split(path, "/")
	for i, name := range parts {
		token, err := n.component(name)
		if err != nil {
			return "", err
		}
		parts[i] = token
	}
	return strings.Join(parts, "/"), nil
}

// component is the token of a name. "/", "." and ".." are the kernel's, and stay.
func (n *names) component(name string) (string, error) {
	switch name {
	case "", "/", ".", "..":
		return name, nil
	}
	if isTemporary(name) {
		token, err := n.token(name)
		return "#" + digits(token[1:]), err
	}
	extension := ""
	if at := strings.LastIndexByte(name, '.'); n.Extensions && at > 0 && len(name)-at <= 1+maxExtension {
		name, extension = name[:at], name[at:]
	}
	token, err := n.token(name)
	return token + extension, err
}

// isTemporary reports whether the kernel made the name: d_tmpfile() calls a file without one
// after its inode's number.
func isTemporary(name string) bool {
	rest, ok := strings.CutPrefix(name, "#")
	return ok && rest != "" && strings.Trim(rest, "0123456789") == ""
}

// digits makes a number of a token. Two may get the same one, as two filesystems may have
// the same inode's number.
func digits(token string) string {
	out := []byte(token)
	for i, c := range out {
		out[i] = '0' + c%10
	}
	return string(out)
}

func (n *names) token(name string) (string, error) {
	if len(name) >= shortName {
		return n.made(name, 0), nil
	}
	if t, ok := n.tokens[name]; ok {
		return t, nil
	}
	if len(n.tokens) >= maxNames {
		return "", ErrTooMuch
	}
	if t := n.taskName(name); t != "" && !n.taken[t] {
		n.tokens[name], n.taken[t] = t, true
		return t, nil
	}
	for try := uint32(0); ; try++ {
		if t := n.made(name, try); !n.taken[t] && t != "." && t != ".." {
			n.tokens[name], n.taken[t] = t, true
			return t, nil
		}
	}
}

// taskName is the new number of a task, as long as the old one, for a name that is the number of
// one, as below /proc; empty for others. Without it no reader could tell that the name is of the
// run, and not of the program.
func (n *names) taskName(name string) string {
	v, err := strconv.ParseUint(name, 10, 32)
	if err != nil || strconv.FormatUint(v, 10) != name || n.tasks[uint32(v)] == 0 {
		return ""
	}
	if t := fmt.Sprintf("%0*d", len(name), n.tasks[uint32(v)]); len(t) == len(name) {
		return t
	}
	return ""
}

var letters = base64.NewEncoding("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_").WithPadding(base64.NoPadding)

// plainTries is how often letters are tried for a short name; after that any byte that a name
// can have, since there are more names of one byte than letters.
const plainTries = 64

// made is the text that the key makes of a name.
func (n *names) made(name string, try uint32) string {
	out := make([]byte, 0, len(name)+sha256.Size*2)
	for block := uint32(0); len(out) < len(name); block++ {
		h := hmac.New(sha256.New, n.Key)
		h.Write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, try), block))
		h.Write([]byte(name))
		if sum := h.Sum(nil); try < plainTries {
			out = letters.AppendEncode(out, sum)
		} else {
			out = append(out, sum...)
		}
	}
	out = out[:len(name)]
	for i, c := range out {
		if c == 0 || c == '/' {
			out[i] = '+'
		}
	}
	return string(out)
}
