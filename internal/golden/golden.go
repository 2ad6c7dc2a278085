// SPDX-License-Identifier: Apache-2.0

// Package golden compares files of the tree, in tests, with what the code produces. If DTREC_UPDATE is
// set in the environment it writes them anew; the commit then says why they changed.
package golden

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Update reports whether the files are to be written anew.
func Update() bool { return os.Getenv("DTREC_UPDATE") != "" }

// maxShown bounds the differing lines that a test prints of each side.
const maxShown = 20

// Lines compares a whole file with got, ignoring the order of the lines. The test fails if either has a
// line that the other has not.
func Lines(t testing.TB, file, got string) {
	t.Helper()
	if Update() {
		write(t, file, got)
		return
	}
	had := make(map[string]int) // how many more times the file has a line than got
	for line := range strings.Lines(read(t, file)) {
		had[line]++
	}
	var added, gone []string
	for line := range strings.Lines(got) {
		if had[line]--; had[line] < 0 {
			added = append(added, line)
		}
	}
	for line, n := range had {
		if n > 0 {
			gone = append(gone, line)
		}
	}
	slices.Sort(gone)
	if n, m := len(added), len(gone); n+m > 0 {
		t.Errorf("%s does not have these %d lines:\n%s… and alone has these %d:\n%s…", file,
			n, strings.Join(added[:min(n, maxShown)], ""), m, strings.Join(gone[:min(m, maxShown)], ""))
	}
}

// Block compares one block of a file with want. Place is a regular expression with three groups: what
// comes before the block, the block, and what comes after it.
func Block(t testing.TB, file, place, want string) {
	t.Helper()
	text := read(t, file)
	at := regexp.MustCompile("(?s)" + place).FindStringSubmatchIndex(text)
	switch {
	case at == nil:
		t.Fatalf("%s: no %s", file, place)
	case Update():
		write(t, file, text[:at[4]]+want+text[at[5]:])
	case text[at[4]:at[5]] != want:
		t.Errorf("%s has\n%s\nthe code has\n%s", file, text[at[4]:at[5]], want)
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
