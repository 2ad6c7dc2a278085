// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// libraries counts a search for shared libraries: calls on library names that failed with ENOENT, and the
// stats by which a loader then asks whether the directory exists at all. These are many calls with one
// cause, so once this rule has a finding, the other rules ignore what stands out because of them alone; see
// Summarizer.beside.
type libraries struct {
	names  *tally[sought]      // by name of the library looked for
	dirs   map[uint64]struct{} // hashes of the directories as given
	root   uint64              // the dentry of the recorder's root directory, once a path has started there
	sought map[uint32]string   // by thread whose previous call looked for a library: the directory of that library
	first  example
	stats  uint64 // failed stats of such directories
	asked  uint64 // components that a filesystem was asked for
	found  bool   // the rule has made a finding
}

// sought describes a library that was looked for.
type sought struct {
	example
	opened bool // an open of that name has succeeded since the last call that failed
}

func newLibraries() libraries {
	return libraries{names: newTally[sought](fewKeys), dirs: make(map[uint64]struct{}), sought: make(map[uint32]string)}
}

// takes reports whether a call is part of the search, and counts it if so.
func (l *libraries) takes(c *replay.PathCall) bool {
	dir, sought := "", false
	if len(l.sought) > 0 {
		if dir, sought = l.sought[c.TID]; sought {
			delete(l.sought, c.TID)
		}
	}
	switch name := baseOf(c.Path); {
	case !looks(c.Operation) || schema.ErrnoName(c.Errno) != "ENOENT":
		return false
	case isLibrary(name):
		l.seek(name, dirOf(c.Path), c)
	case sought && c.Operation == "stat" && c.Path == dir:
		l.stats++
	default:
		return false
	}
	l.first.add(c)
	for i := range c.Components {
		if c.Components[i].Found == replay.FoundMiss {
			l.asked++
		}
	}
	return true
}

func (l *libraries) seek(name, dir string, c *replay.PathCall) {
	x := l.names.add(name, 1)
	x.add(c)
	x.opened = false
	if len(l.dirs) < fewKeys {
		h := maphash.String(seed, dir)
		absolute := strings.HasPrefix(c.Path, "/")
		if absolute && !c.OtherRoot {
			l.root = c.StartAddr
		}
		if !absolute || c.OtherRoot && c.StartAddr != l.root { // another mount namespace may have the same root directory
			h ^= maphash.Comparable(seed, c.StartAddr)
		}
		l.dirs[h] = struct{}{}
	}
	if len(l.sought) >= fewKeys {
		clear(l.sought)
	}
	l.sought[c.TID] = dir
}

// opens records a successful call, in case it opened a library that was looked for before.
func (s *Summarizer) opens(c *replay.PathCall) {
	if s.libraries.names.total == 0 || c.Operation != "open" {
		return
	}
	name := baseOf(c.Path)
	if !isLibrary(name) {
		return
	}
	if e := s.libraries.names.find(hashOf("", name), "", name); e != nil {
		e.What.opened = true
	}
	if f := s.failed[c.PID]; f != nil {
		f.opened(name)
	}
}

// looks reports whether an operation only asks whether a path exists or opens it.
func looks(op string) bool { return op == "open" || op == "stat" || op == "access" }

// isLibrary reports whether a name looks like a shared library's, such as libc.so.6 or libfoo.so.
// ld.so.preload does not.
func isLibrary(name string) bool {
	_, version, _ := strings.Cut(name, ".so.")
	return strings.HasSuffix(name, ".so") || version != "" && version[0] >= '0' && version[0] <= '9'
}

// beside returns the amount without the calls that belong to the library search, if that has made a
// finding; otherwise the whole amount.
func (s *Summarizer) beside(amount uint64, x *example) uint64 {
	if s.libraries.found {
		amount -= min(amount, x.searching)
	}
	return amount
}

func (s *Summarizer) librarySearch() []Finding {
	l := &s.libraries
	if l.found = l.names.total >= someFailures; !l.found {
		return nil
	}
	names := l.names.sorted()
	orMore := ""
	if l.names.floor > 0 {
		orMore = " or more"
	}
	where := plural.Of(uint64(len(l.dirs)), "directory")
	if len(l.dirs) == fewKeys {
		where += " or more"
	}
	all := l.names.total + l.stats
	what := fmt.Sprintf("%s look like a search for libraries, first at #%d: %d for %s%s in %s", ofAll(all, s.Total.Failed, "failures"), l.first.call, l.names.total, someNames(names, "and"), orMore, where)
	if l.stats > 0 {
		what += fmt.Sprintf(", %s of such directories", plural.Of(l.stats, "stat"))
	}
	if l.asked > 0 {
		what += fmt.Sprintf("; %s were allocated for it", ofAll(l.asked, s.misses.total, "dentries"))
	}
	if never := slices.DeleteFunc(slices.Clone(names), func(e *entry[sought]) bool { return e.What.opened }); len(never) > 0 && orMore == "" && s.picked.picker == nil { // a filter may hide the open
		what += fmt.Sprintf("; no later successful open of %s is recorded", someNames(never, "or"))
	}
	return []Finding{s.failing(all, names[0].Key, what, showing(names[0].Key)...)}
}

// someNames gives the first of some names, and how many others there are.
func someNames(names []*entry[sought], and string) string {
	first := replay.Printable(names[0].Key)
	if n := len(names) - 1; n > 0 {
		first += fmt.Sprintf(" %s %s", and, plural.Of(uint64(n), "other name"))
	}
	return first
}
