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

// shortName is the length in bytes of a name from which two names get the same token with a probability of
// less than 2^-72. The tokens of shorter names are remembered, so that no two are equal.
const shortName = 12

// maxNames bounds the short names that are kept distinct. They take about 100 MB.
const maxNames = 1 << 20

// maxExtension is the maximum length of an extension in bytes, without the dot.
const maxExtension = 8

// names gives every name a token of the same length, the same one wherever the name occurs. Without the
// key, nobody can test a guessed name against a token.
type names struct {
	Options
	tasks  numbers           // of the whole trace
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

// path replaces each component by its token, so paths that begin with the same directories still do.
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

// component returns the token of a name. "/", "." and ".." are the kernel's and stay as they are.
func (n *names) component(name string) (string, error) {
	switch name {
	case "", "/", ".", "..":
		return name, nil
	}
	if isTemporary(name) {
		token, err := n.tokenOf(name)
		return "#" + digits(token[1:]), err
	}
	extension := ""
	if at := strings.LastIndexByte(name, '.'); n.Extensions && at > 0 && len(name)-at <= 1+maxExtension {
		name, extension = name[:at], name[at:]
	}
	token, err := n.tokenOf(name)
	return token + extension, err
}

// isTemporary reports whether the kernel made up the name: d_tmpfile() names a file that has no name after
// its inode number, as in #27.
func isTemporary(name string) bool {
	rest, ok := strings.CutPrefix(name, "#")
	return ok && rest != "" && strings.Trim(rest, "0123456789") == ""
}

// digits turns a token into a number. Two tokens may become the same number, just as files on two
// filesystems may have the same inode number.
func digits(token string) string {
	out := []byte(token)
	for i, c := range out {
		out[i] = '0' + c%10
	}
	return string(out)
}

func (n *names) tokenOf(name string) (string, error) {
	if len(name) >= shortName {
		return n.derive(name, 0), nil
	}
	if t, ok := n.tokens[name]; ok {
		return t, nil
	}
	if len(n.tokens) >= maxNames {
		return "", ErrTooMuch
	}
	t := n.taskName(name)
	for try := uint32(0); t == "" || t == "." || t == ".." || n.taken[t]; try++ {
		t = n.derive(name, try)
	}
	n.tokens[name], n.taken[t] = t, true
	return t, nil
}

// taskName returns the new number of a task, if the name is the number of a task, as below /proc, and the
// new one fits its length; otherwise it is empty. Without this no reader could tell that such a name varies
// with the run and does not come from the program.
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

// plainTries is how many tokens of letters are tried for a short name. After that a token may have any byte
// that a name can have, since there are more names of one byte than letters.
const plainTries = 64

// derive derives a token from a name with the key.
func (n *names) derive(name string, try uint32) string {
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
