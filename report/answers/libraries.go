// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// libraries is a search for shared libraries: calls on them where they are not, and the stats by which a loader then asks whether there is
// such a directory at all. They are many calls for one cause: what they alone make stand out no other rule names, see Summarizer.beside.
type libraries struct {
	names  *tally[example]     // of what was looked for
	dirs   map[uint64]struct{} // hashes of the directories, as given
	sought map[uint32]string   // by thread whose last call was one on a library: the directory
	first  example
	stats  uint64 // of directories
	asked  uint64 // names that a filesystem was asked for
	found  bool   // there is a finding of them
}

func newLibraries() libraries {
	return libraries{names: newTally[example](fewKeys), dirs: make(map[uint64]struct{}), sought: make(map[uint32]string)}
}

// takes reports whether a call is of the search, and counts it.
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
	l.names.add(name, 1).add(c)
	if len(l.dirs) < fewKeys {
		h := maphash.String(seed, dir)
		if c.OtherRoot || !strings.HasPrefix(c.Path, "/") {
			h ^= maphash.Comparable(seed, c.StartAddr)
		}
		l.dirs[h] = struct{}{}
	}
	if len(l.sought) >= fewKeys {
		clear(l.sought)
	}
	l.sought[c.TID] = dir
}

// looks reports whether an operation asks what there is.
func looks(op string) bool { return op == "open" || op == "stat" || op == "access" }

// isLibrary reports whether a name is that of a shared library: libc.so.6, libfoo.so; and not ld.so.preload.
func isLibrary(name string) bool {
	_, version, _ := strings.Cut(name, ".so.")
	return strings.HasSuffix(name, ".so") || version != "" && version[0] >= '0' && version[0] <= '9'
}

// beside is how much of what calls were counted for is not of a search for libraries that there is a finding of.
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
	most := l.names.top(1)[0]
	names := replay.Printable(most.Key)
	if n := len(l.names.entries) - 1; n > 0 {
		names += fmt.Sprintf(" and %s", plural.Of(uint64(n), "other name"))
	}
	if l.names.floor > 0 {
		names += " or more"
	}
	where := plural.Of(uint64(len(l.dirs)), "directory")
	if len(l.dirs) == fewKeys {
		where += " or more"
	}
	all := l.names.total + l.stats
	what := fmt.Sprintf("%s are a search for libraries, first at #%d: %d for %s in %s", ofAll(all, s.Total.Failed, "failures"), l.first.call, l.names.total, names, where)
	if l.stats > 0 {
		what += fmt.Sprintf(", %s of such directories", plural.Of(l.stats, "stat"))
	}
	if l.asked > 0 {
		what += fmt.Sprintf("; %s were allocated for it", ofAll(l.asked, s.misses.total, "dentries"))
	}
	return []Finding{s.failing(all, most.Key, what, showing(most.Key)...)}
}
