// SPDX-License-Identifier: Apache-2.0

package test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// many counts by a key, and keeps the id of the first call that had it.
type many map[string]*struct {
	n, first uint64
	dirs     []string
}

func (m many) add(key string, call uint64) *[]string {
	if m[key] == nil {
		m[key] = &struct {
			n, first uint64
			dirs     []string
		}{first: call}
	}
	m[key].n++
	return &m[key].dirs
}

func (m many) counts() map[string]uint64 {
	out := map[string]uint64{}
	for key, x := range m {
		out[key] = x.n
	}
	return out
}

func (m many) mostFirst() []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b].n, m[a].n), cmp.Compare(a, b)) })
}

// stands is what this test counts for the rules of docs/answers.md.
type stands struct {
	failing, missing, asked, dirs, left many
	led                                 map[string][2]string // of an absolute path: where it led first, and where then
	ledAt                               map[string][2]uint64
	order                               []string // of paths that led elsewhere
	restarted, firstRestart             uint64
	slowest, inner                      *use // the slowest call, and the last that failed in another
	there                               []string
}

func newStands() stands {
	return stands{failing: many{}, missing: many{}, asked: many{}, dirs: many{}, left: many{}, led: map[string][2]string{}, ledAt: map[string][2]uint64{}}
}

func (s *stands) ended(u *use, e *spoken, p *places) {
	if u.restarts > 0 {
		if s.restarted++; s.firstRestart == 0 {
			s.firstRestart = u.ID
		}
	}
	path := u.path()
	if s.slowest == nil || u.took > s.slowest.took {
		s.slowest = u
	}
	if in := s.inner; e.Errno == "ENOENT" && in != nil && in.outer == u.ID && u.resolved != "" {
		s.there = append(s.there, fmt.Sprintf("exec of %s by %s failed at #%d, and it is there: what is missing is %s, #%d", path, u.program, u.ID, in.path(), in.ID))
	}
	if e.Errno != "" && u.outer != 0 {
		s.inner = u
	}
	if e.Errno != "" {
		s.failing.add(e.Errno+" "+path, u.ID)
	} else if strings.HasPrefix(path, "/") && strings.HasPrefix(u.resolved, "/") {
		s.leads(path, u.resolved, u.ID)
	}
	for _, x := range u.parts {
		if x.made {
			at := within(p.path(x.parent), x.name)
			s.asked.add(at, u.ID)
			s.dirs.add(above(at), u.ID)
		}
	}
	if n := len(u.parts); n > 0 && e.Errno == "ENOENT" {
		last := u.parts[n-1]
		dirs, dir := s.missing.add(last.name, u.ID), p.path(last.parent)
		if !slices.Contains(*dirs, dir) {
			*dirs = append(*dirs, dir)
		}
	}
}

func (s *stands) leads(path, to string, call uint64) {
	led, at := s.led[path], s.ledAt[path]
	switch {
	case at[0] == 0:
		led[0], at[0] = to, call
	case at[1] == 0 && led[0] != to:
		led[1], at[1] = to, call
		s.order = append(s.order, path)
	}
	s.led[path], s.ledAt[path] = led, at
}

func percent(n, of uint64) string { return fmt.Sprintf("%.0f %%", float64(n)*100/float64(of)) }

// failures says of paths that many of the failures are of.
func (s *stands) failures(failed uint64, say func(rule, format string, args ...any)) {
	for _, key := range s.failing.mostFirst() {
		if x := s.failing[key]; x.n >= 5 && x.n*10 >= failed {
			errno, path, _ := strings.Cut(key, " ")
			asked := ""
			if a := s.asked[path]; a != nil && a.n >= 3 && strings.HasPrefix(path, "/") {
				asked = fmt.Sprintf("; a filesystem was asked for it %d times", a.n)
			}
			say("failing path", "%d of %d failures (%s) are %s of %s, first at #%d%s", x.n, failed, percent(x.n, failed), errno, path, x.first, asked)
		}
	}
}

// endings says of names that many failing paths end in.
func (s *stands) endings(failed uint64, say func(rule, format string, args ...any)) {
	type ending struct{ n, paths, first, most uint64 }
	ends := map[string]ending{}
	for key, x := range s.failing {
		if path, ok := strings.CutPrefix(key, "ENOENT "); ok {
			path = strings.TrimRight(path, "/")
			name := path[strings.LastIndex(path, "/")+1:]
			e := ends[name]
			if e.first == 0 || x.first < e.first {
				e.first = x.first
			}
			ends[name] = ending{e.n + x.n, e.paths + 1, e.first, max(e.most, x.n)}
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(ends), func(a, b string) int { return cmp.Or(cmp.Compare(ends[b].n, ends[a].n), cmp.Compare(a, b)) }) {
		if e := ends[name]; name != "" && e.most*2 < e.n && e.n >= 5 && e.n*10 >= failed {
			say("missing file", "%d of %d failures (%s) are ENOENT of %d paths that end in %s, first at #%d", e.n, failed, percent(e.n, failed), e.paths, name, e.first)
		}
	}
}

// ofEach reports whether a path is another for each process.
func ofEach(path string) bool {
	return strings.HasPrefix(path, "/proc/self/") || strings.HasPrefix(path, "/proc/thread-self/") || strings.HasPrefix(path, "/dev/fd/")
}

// sentences are what stands out, by rule.
func (r *reckoned) sentences() map[string][]string {
	out := make(map[string][]string)
	say := func(rule, format string, args ...any) {
		if len(out[rule]) < 2 {
			out[rule] = append(out[rule], fmt.Sprintf(format, args...))
		}
	}
	s := &r.stands
	s.failures(r.failed, say)
	s.endings(r.failed, say)
	for _, name := range s.missing.mostFirst() {
		if x := s.missing[name]; x.n >= 5 && len(x.dirs) >= 3 {
			dirs := fmt.Sprint(len(x.dirs), " directories")
			if len(x.dirs) >= 8 {
				dirs = "8 directories or more"
			}
			say("missing name", "%s is missing in %s, %d times, first at #%d in %s", name, dirs, x.n, x.first, x.dirs[0])
		}
	}
	for _, what := range s.there {
		say("file that is there", "%s", what)
	}
	if u := s.slowest; u != nil && r.total.Calls >= 10 && u.took*10 >= r.total.Took {
		say("slow call", "%s of %s by %s took ", operationOf[u.Role], u.path(), u.program)
	}
	for _, path := range s.asked.mostFirst() {
		said := slices.ContainsFunc(out["failing path"], func(what string) bool { return strings.Contains(what, " of "+path+", first") })
		if x := s.asked[path]; x.n >= 3 && strings.HasPrefix(path, "/") && !said {
			say("asked again", "a filesystem was asked for %s %d times, first at #%d", path, x.n, x.first)
		}
	}
	all := uint64(0)
	for _, x := range s.dirs {
		all += x.n
	}
	for _, dir := range s.dirs.mostFirst() {
		if x := s.dirs[dir]; x.n >= 20 && x.n*5 >= all && strings.HasPrefix(dir, "/") {
			say("missed directory", "%d of %d dentries (%s) allocated by walks are for names in %s, first at #%d", x.n, all, percent(x.n, all), dir, x.first)
		}
	}
	for _, dir := range s.left.mostFirst() {
		if x := s.left[dir]; x.n >= 10 && x.n*5 >= r.left && strings.HasPrefix(dir, "/") {
			say("negatives left", "%d of %d dentries (%s) left without inode are in %s", x.n, r.left, percent(x.n, r.left), dir)
		}
	}
	slices.SortFunc(s.order, func(a, b string) int { return int(s.ledAt[a][0]) - int(s.ledAt[b][0]) })
	for _, path := range slices.DeleteFunc(s.order, ofEach) {
		say("other target", "%s led to %s at #%d, and to %s at #%d", path, s.led[path][0], s.ledAt[path][0], s.led[path][1], s.ledAt[path][1])
	}
	if s.restarted > 0 {
		say("restart", "%d walk", s.restarted)
	}
	return out
}
