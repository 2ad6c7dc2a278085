// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// search counts calls that look for a library which is missing, and the stats of directories that a
// loader makes afterwards.
type search struct {
	names, dirs         callCounts
	opened              map[string]bool   // by name: the last open of it succeeded, after a search or before
	last                map[uint32]string // by thread: the directory that its last call searched
	stats, asked, first uint64
}

var library = regexp.MustCompile(`^([^/]*/)*[^/]*\.so(\.[0-9][^/]*)?/*$`)

// addCall counts a call that failed with ENOENT and reports true if it belongs to the search.
func (x *search) addCall(u *use, path, before string) bool {
	op := operationOf[u.Role]
	if op != "open" && op != "stat" && op != "access" {
		return false
	}
	if slash := strings.LastIndex(path, "/"); library.MatchString(path) {
		trimmed := strings.TrimRight(path, "/")
		dir := path[:max(slash, 0)]
		if slash == 0 {
			dir = "/"
		}
		x.names.add(trimmed[strings.LastIndex(trimmed, "/")+1:], u.ID)
		if !strings.HasPrefix(path, "/") { // a relative directory is another one for each starting directory
			x.dirs.add(dir+" from "+u.paths[0].Start, u.ID)
		} else {
			x.dirs.add(dir, u.ID)
		}
		x.last[u.TID] = dir
	} else if op == "stat" && path != "" && before == path {
		x.stats++
	} else {
		return false
	}
	if x.first == 0 || u.ID < x.first {
		x.first = u.ID
	}
	for _, p := range u.parts {
		if p.made {
			x.asked++
		}
	}
	return true
}

// searchSentence makes the sentence about the search, if it has at least 5 lookups.
func (s *findingCounts) searchSentence(failed, made uint64, say sayer) {
	x, n := &s.search, uint64(0)
	for _, name := range x.names {
		n += name.n
	}
	if s.searched = n >= 5; !s.searched {
		return
	}
	some := func(n uint64, one, more string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprint(n, " ", more)
	}
	names := x.names.mostFirst()
	list := func(names []string, and string) string {
		if len(names) == 1 {
			return names[0]
		}
		return names[0] + and + some(uint64(len(names)-1), "other name", "other names")
	}
	what := fmt.Sprintf("%d of %d failures (%s) look like a search for libraries, first at #%d: %d for %s in %s", n+x.stats, failed, percent(n+x.stats, failed), x.first,
		n, list(names, " and "), some(uint64(len(x.dirs)), "directory", "directories"))
	if x.stats > 0 {
		what += ", " + some(x.stats, "stat", "stats") + " of such directories"
	}
	if x.asked > 0 {
		what += fmt.Sprintf("; %d of %d dentries (%s) were allocated for it", x.asked, made, percent(x.asked, made))
	}
	if never := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return x.opened[name] }); len(never) > 0 {
		what += "; no later successful open of " + list(never, " or ") + " is recorded"
	}
	say("library search", names[0], "%s", what)
}
