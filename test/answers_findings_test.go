// SPDX-License-Identifier: Apache-2.0

package test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// callCounts counts calls by a key, and keeps the id of the first call for each key.
type callCounts map[string]*struct {
	n, first uint64
	search   uint64 // those of n that belong to a search for libraries
	dirs     []string
}

func (m callCounts) add(key string, call uint64) *[]string {
	if m[key] == nil {
		m[key] = &struct {
			n, first uint64
			search   uint64
			dirs     []string
		}{first: call}
	}
	m[key].n++
	return &m[key].dirs
}

// addCall is add for a call that may belong to a search for libraries.
func (m callCounts) addCall(search bool, key string, call uint64) *[]string {
	dirs := m.add(key, call)
	if search {
		m[key].search++
	}
	return dirs
}

// outsideSearch returns how often a key occurred, without the calls of a library search that a sentence is
// about already.
func (s *findingCounts) outsideSearch(m callCounts, key string) uint64 {
	if s.searched {
		return m[key].n - m[key].search
	}
	return m[key].n
}

func (m callCounts) counts() map[string]uint64 {
	out := map[string]uint64{}
	for key, x := range m {
		out[key] = x.n
	}
	return out
}

func (m callCounts) mostFirst() []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b].n, m[a].n), cmp.Compare(a, b)) })
}

// findingCounts holds what this test counts for the rules of docs/answers.md.
type findingCounts struct {
	failing, missing, made, madeIn, left callCounts
	search                               search
	searched                             bool                 // a sentence is about the library search
	mentioned                            []string             // paths and names that sentences are about
	targets                              map[string][2]string // by absolute path: where it led first, and where it led later
	targetCalls                          map[string][2]uint64
	changedTargets                       []string // paths that led elsewhere later
	restarted, firstRestart              uint64
	slowest, inner                       *use                 // the slowest call, and the last that failed within another
	presentFiles                         []string             // three for each finding: its path, what is missing, and the sentence
	attempts                             map[uint32][]attempt // by process: calls that failed, and opens of libraries
	exitSentences                        []string             // sentences about processes that failed
	exitCalls                            []string             // the same processes, each with its last failed call
	failedChild                          map[uint32]string    // by process: the last of its children that failed
}

func newFindingCounts() findingCounts {
	return findingCounts{made: callCounts{}, madeIn: callCounts{}, failing: callCounts{}, missing: callCounts{}, left: callCounts{}, search: search{opened: map[string]bool{}, names: callCounts{}, dirs: callCounts{}, last: map[uint32]string{}}, targets: map[string][2]string{}, targetCalls: map[string][2]uint64{}, attempts: map[uint32][]attempt{}, failedChild: map[uint32]string{}}
}

func (s *findingCounts) callEnded(u *use, e *replayEvent, p *dentryPaths) {
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
		s.presentFiles = append(s.presentFiles, path, in.path(), fmt.Sprintf("exec of %s by %s failed at #%d, although that file exists: what is missing is %s, #%d", path, u.program, u.ID, in.path(), in.ID))
	}
	if e.Errno != "" && u.outer != 0 {
		s.inner = u
	}
	if e.Errno == "" && strings.HasPrefix(path, "/") && strings.HasPrefix(u.resolved, "/") {
		as := " followed"
		if u.paths[0].How&1 == 0 || operationOf[u.Role] == "rename" { // LOOKUP_FOLLOW
			as = " itself"
		}
		if name := u.resolved[strings.LastIndex(u.resolved, "/")+1:]; !unnamed.MatchString(name) || strings.HasSuffix(path, "/"+name) {
			s.addTarget(path+as, u.resolved, u.ID)
		}
	}
	dir := s.search.last[u.TID]
	delete(s.search.last, u.TID)
	search := e.Errno == "ENOENT" && s.search.addCall(u, path, dir)
	for _, x := range u.parts {
		if x.made {
			at := joinPath(p.path(x.parent), x.name)
			s.made.addCall(search, at, u.ID)
			s.madeIn.addCall(search, parentDir(at), u.ID)
		}
	}
	a := attempt{u, e.Errno, search, ""}
	if library.MatchString(path) {
		a.library = strings.TrimRight(path, "/")
		a.library = a.library[strings.LastIndex(a.library, "/")+1:]
	}
	if e.Errno != "" {
		s.failing.addCall(search, e.Errno+" "+path, u.ID)
	}
	if e.Errno != "" || operationOf[u.Role] == "open" && a.library != "" {
		s.attempts[u.PID] = append(s.attempts[u.PID], a)
	}
	if a.library != "" && (search || e.Errno == "" && operationOf[u.Role] == "open") {
		s.search.opened[a.library] = e.Errno == ""
	}
	if n := len(u.parts); n > 0 && e.Errno == "ENOENT" {
		last := u.parts[n-1]
		if dir := p.path(last.parent); strings.HasPrefix(dir, "/") {
			if dirs := s.missing.addCall(search, last.name, u.ID); !slices.Contains(*dirs, dir) {
				*dirs = append(*dirs, dir)
			}
		}
	}
}

// attempt is a call that failed, or an open of a library.
type attempt struct {
	*use
	errno   string
	search  bool   // for a library
	library string // whose name the path ends in; empty: it is none's
}

// processExited handles the exit of a process.
func (s *findingCounts) processExited(e *replayEvent, program string, parent uint32) {
	all, after := s.attempts[e.PID], s.failedChild[e.PID]
	delete(s.attempts, e.PID)
	if e.Status == 0 {
		return
	}
	status := schema.WaitStatus(e.Status)
	s.failedChild[parent] = fmt.Sprintf(", after its child %s/%d at #%d, %s", program, e.PID, e.ID, status)
	apart := ""
	for i, a := range slices.Backward(all) {
		later := func(b attempt) bool { return b.errno == "" && b.library == a.library }
		if a.errno == "" {
			continue
		}
		if a.search && (a.library == "" || slices.ContainsFunc(all[i:], later)) {
			apart = ", apart from searches for libraries that it opened"
			continue
		}
		call := fmt.Sprintf("%s of %s, %s, #%d", operationOf[a.Role], strings.ReplaceAll(a.path(), "\r", `\r`), a.errno, a.ID)
		s.exitSentences = append(s.exitSentences, fmt.Sprintf("%s/%d ended at #%d, %s%s; its last recorded failed call%s: %s", a.program, e.PID, e.ID, status, after, apart, call))
		s.exitCalls = append(s.exitCalls, fmt.Sprintf("%s/%d (%s)", a.program, e.PID, call))
		return
	}
}

// exitFindings makes the sentences about processes that failed: of the first two, and one of the others, four by name.
func (s *findingCounts) exitFindings() []string {
	if len(s.exitSentences) <= 2 {
		return s.exitSentences
	}
	others := s.exitCalls[2:]
	count := fmt.Sprintf("%d more processes ended so later: ", len(others))
	if len(others) == 1 {
		count = "1 more process ended so later: "
	}
	if len(others) > 4 {
		others = append(slices.Clone(others[:4]), "…")
	}
	return append(slices.Clone(s.exitSentences[:2]), count+strings.Join(others, ", "))
}

// unnamed matches the name of a file made with O_TMPFILE.
var unnamed = regexp.MustCompile(`^#[0-9]+$`)

// hasSentence reports whether a sentence is about a path, an end of it, or its last component.
func (s *findingCounts) hasSentence(path string) bool {
	return slices.ContainsFunc(s.mentioned, func(n string) bool { return n != "" && (path == n || strings.HasSuffix(path, "/"+n)) })
}

// hasNameSentence reports whether a sentence is about a name, or about a path that ends in it.
func (s *findingCounts) hasNameSentence(name string) bool {
	return slices.ContainsFunc(s.mentioned, func(n string) bool { n = strings.TrimRight(n, "/"); return n[strings.LastIndex(n, "/")+1:] == name })
}

func (s *findingCounts) addTarget(path, to string, call uint64) {
	led, at := s.targets[path], s.targetCalls[path]
	switch {
	case at[0] == 0:
		led[0], at[0] = to, call
	case at[1] == 0 && led[0] != to:
		led[1], at[1] = to, call
		s.changedTargets = append(s.changedTargets, path)
	}
	s.targets[path], s.targetCalls[path] = led, at
}

func percent(n, of uint64) string {
	switch rounded := math.RoundToEven(float64(n) * 100 / float64(of)); {
	case rounded == 0 && n > 0:
		return "<1 %"
	case rounded == 100 && n < of:
		return ">99 %"
	default:
		return fmt.Sprint(rounded, " %")
	}
}

// sayer adds a sentence of a rule. About is the path or name that later rules then skip, or "".
type sayer func(rule, about, format string, args ...any)

// failureSentences makes the sentences about paths that account for many of the failures.
func (s *findingCounts) failureSentences(failed uint64, say sayer) {
	for _, key := range s.failing.mostFirst() {
		errno, path, _ := strings.Cut(key, " ")
		x, beside := s.failing[key], s.outsideSearch(s.failing, key)
		if beside >= 5 && beside*10 >= failed && path != "" && !s.hasSentence(path) {
			asked := ""
			if a := s.made[path]; a != nil && a.n >= 3 && strings.HasPrefix(path, "/") {
				asked = fmt.Sprintf("; %d times a filesystem was asked for it", a.n)
			}
			say("failing path", path, "%d of %d failures (%s) are %s of %s, first at #%d%s", x.n, failed, percent(x.n, failed), errno, path, x.first, asked)
		}
	}
}

// endingSentences makes the sentences about names that many failing paths end in.
func (s *findingCounts) endingSentences(failed uint64, say sayer) {
	type ending struct{ n, paths, first, most, beside uint64 }
	ends := map[string]ending{}
	for key, x := range s.failing {
		if path, ok := strings.CutPrefix(key, "ENOENT "); ok {
			path = strings.TrimRight(path, "/")
			name := path[strings.LastIndex(path, "/")+1:]
			e := ends[name]
			if e.first == 0 || x.first < e.first {
				e.first = x.first
			}
			ends[name] = ending{e.n + x.n, e.paths + 1, e.first, max(e.most, x.n), e.beside + s.outsideSearch(s.failing, key)}
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(ends), func(a, b string) int { return cmp.Or(cmp.Compare(ends[b].n, ends[a].n), cmp.Compare(a, b)) }) {
		if e := ends[name]; name != "" && e.most*2 < e.n && e.beside >= 5 && e.beside*10 >= failed && !s.hasNameSentence(name) {
			say("missing file", name, "%d of %d failures (%s) are ENOENT of %d paths that end in %s, first at #%d", e.n, failed, percent(e.n, failed), e.paths, name, e.first)
		}
	}
}

// isPerProcess reports whether a path leads elsewhere for each process.
func isPerProcess(path string) bool {
	return strings.HasPrefix(path, "/proc/self/") || strings.HasPrefix(path, "/proc/thread-self/") || strings.HasPrefix(path, "/dev/fd/")
}

// nameSentences makes the sentences about names that are missing in many directories.
func (s *findingCounts) nameSentences(say sayer) {
	for _, name := range s.missing.mostFirst() {
		if x := s.missing[name]; s.outsideSearch(s.missing, name) >= 5 && len(x.dirs) >= 3 && !s.hasNameSentence(name) {
			dirs := fmt.Sprint(len(x.dirs), " directories")
			if len(x.dirs) >= 8 {
				dirs = "8 directories or more"
			}
			say("missing name", name, "%s is missing in %s, %d times, first at #%d in %s", name, dirs, x.n, x.first, x.dirs[0])
		}
	}
}

// askSentences makes the sentences about what filesystems were asked for; made is the number of dentries
// allocated by walks.
func (s *findingCounts) askSentences(made uint64, say sayer) {
	for _, path := range s.made.mostFirst() {
		if x := s.made[path]; s.outsideSearch(s.made, path) >= 3 && strings.HasPrefix(path, "/") && !s.hasSentence(path) {
			say("asked again", path, "%d times a filesystem was asked for %s, first at #%d", x.n, path, x.first)
		}
	}
	for _, dir := range s.madeIn.mostFirst() {
		x := s.madeIn[dir]
		own, mentioned := s.outsideSearch(s.madeIn, dir), uint64(0)
		for path, a := range s.made {
			if parentDir(path) == dir && s.hasSentence(path) {
				mentioned += a.n
			}
		}
		if own -= min(own, mentioned); own >= 20 && own*5 >= made && strings.HasPrefix(dir, "/") {
			say("missed directory", "", "%d of %d dentries (%s) allocated by walks are for names in %s, first at #%d", x.n, made, percent(x.n, made), dir, x.first)
		}
	}
}

// sentences returns the sentences by rule, at most two of each.
func (r *computedSummary) sentences() map[string][]string {
	out := make(map[string][]string)
	s := &r.findings
	say := func(rule, about, format string, args ...any) {
		if len(out[rule]) < 2 {
			s.mentioned = append(s.mentioned, about)
			out[rule] = append(out[rule], fmt.Sprintf(format, args...))
		}
	}
	made := uint64(0)
	for _, x := range s.madeIn {
		made += x.n
	}
	for i := 0; i < len(s.presentFiles); i += 3 {
		say("file that is there", s.presentFiles[i], "%s", s.presentFiles[i+2])
		s.mentioned = append(s.mentioned, s.presentFiles[i+1])
	}
	if ends := s.exitFindings(); ends != nil {
		out["failed process"] = ends
	}
	s.searchSentence(r.failed, made, say)
	s.endingSentences(r.failed, say)
	s.failureSentences(r.failed, say)
	s.nameSentences(say)
	if u := s.slowest; u != nil && r.total.Calls >= 10 && u.took*10 >= r.total.Took {
		say("slow call", "", "%s of %s by %s took ", operationOf[u.Role], u.path(), u.program)
	}
	s.askSentences(made, say)
	for _, dir := range s.left.mostFirst() {
		if x := s.left[dir]; r.left > 0 && x.n >= 10 && x.n*5 >= r.left && strings.HasPrefix(dir, "/") {
			say("negatives left", "", "%d of %d dentries (%s) left without inode are in %s", x.n, r.left, percent(x.n, r.left), dir)
		}
	}
	slices.SortFunc(s.changedTargets, func(a, b string) int { return int(s.targetCalls[a][0]) - int(s.targetCalls[b][0]) })
	for _, path := range slices.DeleteFunc(s.changedTargets, isPerProcess) {
		plain := strings.TrimSuffix(strings.TrimSuffix(path, " followed"), " itself")
		say("other target", "", "%s led to %s at #%d, and to %s at #%d", plain, s.targets[path][0], s.targetCalls[path][0], s.targets[path][1], s.targetCalls[path][1])
	}
	if s.restarted > 0 {
		say("restart", "", "%d walk", s.restarted)
	}
	return out
}
