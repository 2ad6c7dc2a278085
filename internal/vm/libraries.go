// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"fmt"
	"os/exec"
	"path"
	"strings"
)

// librariesOf returns the paths of the shared libraries that a program loads, and of its dynamic loader. The loader itself
// lists them, so it must be the host's own: a program names any file as its loader, and is not to have that run.
func librariesOf(program, loader string) ([]string, error) {
	loader = path.Clean(loader)
	if !strings.HasPrefix(loader, "/lib") && !strings.HasPrefix(loader, "/usr/lib") {
		return nil, fmt.Errorf("%s is no loader of this system", loader)
	}
	out, err := exec.Command(loader, "--list", program).Output()
	if err != nil {
		return nil, fmt.Errorf("%s --list: %w", loader, err)
	}
	files := []string{loader}
	for line := range strings.Lines(string(out)) { // "libc.so.6 => /lib/libc.so.6 (0x7f…)", or without the first two words
		name, place, found := strings.Cut(strings.TrimSpace(line), " => ")
		if !found {
			place = name
		}
		place, _, _ = strings.Cut(place, " (0x")
		switch {
		case place == "not found":
			return nil, fmt.Errorf("%s: not found", name)
		case path.IsAbs(place) && path.Clean(place) != loader:
			files = append(files, path.Clean(place))
		}
	}
	return files, nil
}
