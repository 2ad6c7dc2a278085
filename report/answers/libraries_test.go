// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// missing returns a call that failed with ENOENT after asking a filesystem for the path at which it
// stopped.
func missing(id uint64, tid uint32, op, path, stopped string) *replay.PathCall {
	return &replay.PathCall{ID: id, End: id + 1, TID: tid, Operation: op, Path: path, Errno: schema.ErrnoNumber("ENOENT"), Resolved: stopped,
		Components: []replay.Component{{Name: baseOf(stopped), Found: replay.FoundMiss, Path: stopped}}}
}

func foundOf(s *Summarizer, calls ...*replay.PathCall) (what []string) {
	for _, c := range calls {
		s.call(c)
	}
	for _, f := range s.End().Findings {
		what = append(what, f.Rule+": "+f.What)
	}
	return what
}

// The lookups of a loader in the directories for hardware capabilities make one finding, which covers the
// names, the directories and what filesystems were asked for. A stat of one of these directories by another
// thread is not part of it.
func TestALibrarySearchIsOneFinding(t *testing.T) {
	var calls []*replay.PathCall
	id := uint64(0)
	add := func(tid uint32, op, path, stopped string) {
		id += 2
		calls = append(calls, missing(id, tid, op, path, stopped))
	}
	for program := range uint32(10) {
		for _, dir := range []string{"/lib/tls/x86_64", "/lib/tls", "/lib/x86_64"} {
			add(program, "open", dir+"/libc.so.6", dir)
			add(program, "stat", dir, dir)
		}
		add(program, "access", "/etc/ld.so.preload", "/etc/ld.so.preload")
	}
	add(99, "stat", "/lib/x86_64", "/lib/x86_64")
	want := []string{
		"library search: 60 of 71 failures (85 %) look like a search for libraries, first at #2: 30 for libc.so.6 in 3 directories, 30 stats of such directories; 60 of 71 dentries (85 %) were allocated for it; no later successful open of libc.so.6 is recorded",
		"failing path: 10 of 71 failures (14 %) are ENOENT of /etc/ld.so.preload, first at #14; 10 times a filesystem was asked for it",
	}
	if got := foundOf(NewSummarizer(tracetest.Header()), calls...); !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Other operations on a library's path count in the findings about that path, and a loop that polls a
// directory is not part of a loader's search.
func TestWhatIsNoLibrarySearch(t *testing.T) {
	type call struct{ op, path string }
	repeated := func(n int, c ...call) (all []call) {
		for range n {
			all = append(all, c...)
		}
		return all
	}
	for name, test := range map[string]struct {
		calls []call
		want  []string
	}{
		"unlinked as well": {slices.Concat(repeated(10, call{"open", "/lib/liba.so"}), repeated(6, call{"open", "/lib/libb.so"}, call{"unlink", "/lib/libb.so"})), []string{
			"library search: 16 of 22 failures (73 %) look like a search for libraries, first at #2: 16 for liba.so and 1 other name in 1 directory; 16 of 22 dentries (73 %) were allocated for it; no later successful open of liba.so or 1 other name is recorded",
			"failing path: 12 of 22 failures (55 %) are ENOENT of /lib/libb.so, first at #22; 12 times a filesystem was asked for it"}},
		"a poll of the directory": {slices.Concat(repeated(5, call{"open", "/plug/liba.so"}), repeated(100, call{"stat", "/plug"})), []string{
			"failing path: 100 of 105 failures (95 %) are ENOENT of /plug, first at #12; 100 times a filesystem was asked for it",
			"library search: 6 of 105 failures (6 %) look like a search for libraries, first at #2: 5 for liba.so in 1 directory, 1 stat of such directories; 6 of 105 dentries (6 %) were allocated for it; no later successful open of liba.so is recorded"}},
		"too few": {repeated(4, call{"stat", "/lib/x.so"}, call{"unlink", "/lib/x.so"}), []string{
			"failing path: 8 of 8 failures (100 %) are ENOENT of /lib/x.so, first at #2; 8 times a filesystem was asked for it"}},
	} {
		var calls []*replay.PathCall
		for i, c := range test.calls {
			calls = append(calls, missing(uint64(2*i+2), 1, c.op, c.path, c.path))
		}
		if got := foundOf(NewSummarizer(tracetest.Header()), calls...); !slices.Equal(got, test.want) {
			t.Errorf("%s: found\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
	var calls []*replay.PathCall
	for i := range uint64(6) {
		c := missing(2*i+2, 1, "open", "m.so", "…/m.so")
		c.StartAddr = 0x1000 * (i + 1)
		calls = append(calls, c)
	}
	if got := foundOf(NewSummarizer(tracetest.Header()), calls...); len(got) == 0 || !strings.Contains(got[0], "6 for m.so in 6 directories") {
		t.Errorf("from six working directories: found %q", got)
	}
}

// If there are more names than the tally keeps, the finding says "or more".
func TestALibrarySearchOfManyNames(t *testing.T) {
	var calls []*replay.PathCall
	for i := range uint64(2 * fewKeys) {
		path := fmt.Sprintf("/lib/l%d.so", i)
		calls = append(calls, missing(2*i+2, 1, "open", path, path))
	}
	found := foundOf(NewSummarizer(tracetest.Header()), calls...)
	if want := fmt.Sprintf("%d other names or more in 1 directory", fewKeys-1); len(found) == 0 || !strings.Contains(found[0], want) {
		t.Errorf("found %q, want one with %q", found, want)
	}
}

// A rule skips what an earlier one has named: a name, a path that ends in it, and a directory whose misses
// are explained by these.
func TestOneFindingForOneCause(t *testing.T) {
	var calls []*replay.PathCall
	for i := range uint64(40) {
		dir := fmt.Sprintf("/a/d%d", i%4)
		calls = append(calls, missing(2*i+2, 1, "open", dir+"/conf", dir+"/conf"))
	}
	want := []string{"missing file: 40 of 40 failures (100 %) are ENOENT of 4 paths that end in conf, first at #2"}
	if got := foundOf(NewSummarizer(tracetest.Header()), calls...); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	for _, c := range calls {
		c.Path, c.Resolved, c.Components[0].Path = "one", "/a/one", "/a/one"
	}
	want = []string{"failing path: 40 of 40 failures (100 %) are ENOENT of one, first at #2"}
	if got := foundOf(NewSummarizer(tracetest.Header()), calls...); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// The errnos of a summary are exact, however many paths fail.
func TestErrnosOfManyPaths(t *testing.T) {
	s := NewSummarizer(tracetest.Header())
	const many = 3 * maxKeys
	for i := range uint64(many) {
		s.call(missing(2*i+2, 1, "open", fmt.Sprintf("/f%d", i), fmt.Sprintf("/f%d", i)))
	}
	if got, want := s.End().Errnos, []Count{{"ENOENT", many}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The call that made a process give up is the last that failed, even in a search for a library, unless the
// process then opened that library.
func TestLastFailedCallOfAProcess(t *testing.T) {
	id := uint64(0)
	call := func(op, path string, errno string) *replay.PathCall {
		id += 2
		return &replay.PathCall{ID: id, End: id + 1, PID: 7, TID: 7, Program: "python3", Operation: op, Path: path, Errno: schema.ErrnoNumber(errno)}
	}
	many := func(n int) (calls []*replay.PathCall) {
		for i := range n {
			calls = append(calls, call("open", fmt.Sprintf("/lib/l%d.so", i), "ENOENT"))
		}
		return calls
	}
	for name, test := range map[string]struct {
		calls func() []*replay.PathCall
		want  string
	}{
		"a library that is nowhere": {func() []*replay.PathCall {
			return []*replay.PathCall{call("stat", "/site.py", "ENOENT"), call("open", "/lib/libsqlite3.so.0", "ENOENT"), call("open", "/usr/lib/libsqlite3.so.0", "ENOENT")}
		}, "its last recorded failed call: open of /usr/lib/libsqlite3.so.0, ENOENT, #6"},
		"one that is found": {func() []*replay.PathCall {
			return []*replay.PathCall{call("stat", "/site.py", "ENOENT"), call("open", "/lib/libz.so.1", "ENOENT"), call("open", "/usr/lib/libz.so.1", "")}
		}, "its last recorded failed call, apart from searches for libraries that it opened: stat of /site.py, ENOENT, #2"},
		"only one that is found": {func() []*replay.PathCall {
			return []*replay.PathCall{call("open", "/lib/libz.so.1", "ENOENT"), call("open", "/usr/lib/libz.so.1", "")}
		}, ""},
		"another name than the one that is found": {func() []*replay.PathCall {
			return []*replay.PathCall{call("open", "/lib/libz.so.1", "ENOENT"), call("open", "/lib/libz.so.2", "ENOENT"), call("open", "/usr/lib/libz.so.2", "")}
		}, "its last recorded failed call, apart from searches for libraries that it opened: open of /lib/libz.so.1, ENOENT, #2"},
		"more than are remembered": {func() []*replay.PathCall { return many(maxSought + 1) },
			fmt.Sprintf("its last recorded failed call: open of /lib/l%d.so, ENOENT, #%d", maxSought, 2*maxSought+2)},
		"found are all that are remembered": {func() []*replay.PathCall {
			calls := many(maxSought + 1)
			for i := 1; i <= maxSought; i++ {
				calls = append(calls, call("open", fmt.Sprintf("/lib64/l%d.so", i), ""))
			}
			return calls
		}, ""},
	} {
		id = 0
		s := NewSummarizer(tracetest.Header())
		for _, c := range test.calls() {
			s.call(c)
		}
		s.ended(&replay.Task{PID: 7, Exited: 1000, Status: 0x100})
		var got string
		for _, f := range s.End().Findings {
			if f.Rule == "failed process" {
				_, got, _ = strings.Cut(f.What, "exit code 1; ")
			}
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
