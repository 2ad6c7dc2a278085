// SPDX-License-Identifier: Apache-2.0

package tracefile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// PartName returns the name of file n of a rotating recording: for run.pb, run.000001.pb and so on,
// which sort in the order in which they were made.
func PartName(path string, n int) string {
	stem, ext := partStem(path)
	return fmt.Sprintf("%s.%06d%s", stem, n, ext)
}

func partStem(path string) (stem, ext string) {
	ext = filepath.Ext(path)
	return strings.TrimSuffix(path, ext), ext
}

// Parts returns the numbers of the files whose names are those of such a recording, in rising order,
// whatever the files contain.
func Parts(path string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, Bare(err)
	}
	var numbers []int
	for _, e := range entries {
		if n := partNumber(path, e.Name()); n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// PartPattern returns a pattern for path/filepath.Match that the names of all parts match.
func PartPattern(path string) string {
	stem, ext := partStem(path)
	return patternEscaper.Replace(stem) + ".[0-9]*" + patternEscaper.Replace(ext)
}

var patternEscaper = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`)

// partNumber returns the n for which PartName made a name, or 0 for any other name.
func partNumber(path, name string) int {
	stem, ext := partStem(filepath.Base(path))
	digits, _ := strings.CutPrefix(strings.TrimSuffix(name, ext), stem+".")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || filepath.Base(PartName(path, n)) != name {
		return 0
	}
	return n
}

// IsPart reports whether the place holds a file of a rotating recording, which may be removed for a
// newer one. A trace that is a recording of its own is not one, whatever its name.
func (p Place) IsPart() bool {
	info, err := p.existing()
	if err != nil || info == nil || isNull(info) {
		return false
	}
	h, _ := headerOf(p.Path, info)
	return h.GetPart() > 0
}
