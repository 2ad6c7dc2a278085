// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
)

// Measure is a quantity that is summed up over the calls on a path.
type Measure struct {
	Name, Unit string
	value      func(*replay.PathCall) uint64
}

// Measures returns the measures of profiles and stacks.
func Measures() []Measure {
	return []Measure{
		{"calls", "count", func(*replay.PathCall) uint64 { return 1 }},
		{"failures", "count", func(c *replay.PathCall) uint64 { return oneIf(c.Failed()) }},
		{"misses", "count", countMisses},
		{"allocs", "count", func(c *replay.PathCall) uint64 { return uint64(c.Allocs) }},
		{"kept", "count", func(c *replay.PathCall) uint64 { return uint64(c.Negatives) }},
		{"time", "nanoseconds", (*replay.PathCall).TookOnce},
		{"filesystem", "nanoseconds", func(c *replay.PathCall) uint64 { return c.Filesystem }},
	}
}

// countMisses returns the number of components for which a filesystem was asked.
func countMisses(c *replay.PathCall) (n uint64) {
	for i := range c.Components {
		n += oneIf(c.Components[i].Found == replay.FoundMiss)
	}
	return n
}

func oneIf(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// maxStacks bounds the different stacks, or samples of a profile. Calls beyond it are summed up under
// otherPaths of their program.
const maxStacks = 1 << 17

// otherPaths stands for the paths beyond maxStacks.
const otherPaths = "(other paths)"

// stack returns the program and the components of the path, outermost first: "/", "usr", "lib". A path that
// is not known up to the root begins with "…".
func stack(c *replay.PathCall) []string {
	path := c.Resolved
	if path == "" {
		path = c.Path
	}
	out := []string{replay.Printable(c.Program)}
	if strings.HasPrefix(path, "/") {
		out = append(out, "/")
	} else if rest, ok := strings.CutPrefix(path, "…/"); ok {
		path, out = rest, append(out, "…")
	}
	for _, name := range strings.Split(path, "/") {
		if name != "" {
			out = append(out, replay.Printable(name))
		}
	}
	return out
}

var _ = register(Format{"folded", "stacks for a flame graph, program;directory;…;name COUNT", false, writeFolded})

// writeFolded sums up one measure over equal stacks and writes them sorted.
func writeFolded(w io.Writer, src replay.Source, o Options) error {
	all := Measures()
	at := slices.IndexFunc(all, func(m Measure) bool { return m.Name == o.Measure || o.Measure == "" })
	if at < 0 {
		return fmt.Errorf("no measure %q", o.Measure)
	}
	sums := make(map[string]uint64)
	err := readCalls(src, func(c *replay.PathCall) error {
		n := all[at].value(c)
		if n == 0 {
			return nil
		}
		frames := stack(c)
		for i, f := range frames { // escape the separator of frames
			frames[i] = strings.ReplaceAll(f, ";", `\x3b`)
		}
		key := strings.Join(frames, ";")
		if _, known := sums[key]; !known && len(sums) >= maxStacks {
			key = frames[0] + ";" + otherPaths
		}
		sums[key] += n
		return nil
	})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(out, "%s %d\n", key, sums[key])
	}
	return out.Flush()
}
