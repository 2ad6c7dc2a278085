// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Finding is something that stands out in a trace, with a command that shows more of it.
type Finding struct {
	Rule    string   `json:"rule"`    // name of the rule, see Rules
	What    string   `json:"what"`    // one sentence
	Command []string `json:"command"` // words after dtrec; FILE stands for the trace

	failures uint64 // failed calls that it is about; 0: the rule does not count failures
}

// Rule is one way in which something stands out. docs/answers.md has the table of all of them.
type Rule struct {
	Name string
	Says string // when something stands out by this rule
	find func(*Summarizer) []Finding
}

// Findings made by one rule at most (perRule), and the thresholds at which the rules apply.
const (
	perRule      = 2
	someFailures = 5
	someMisses   = 20
	someAsked    = 3
	someDirs     = 3
	someLeft     = 10
	someCalls    = 10
)

// Rules lists the rules in the order of their findings; findings that count failures are sorted by that
// count. The same calls get one finding only: a rule skips a path or name that an earlier rule has made a
// finding about.
var Rules = []Rule{
	{"file that is there", "an exec failed with ENOENT although its own path led to a file: another path that it opened is missing, an interpreter or a loader", (*Summarizer).others},
	{"failed process", "a process ended with another exit code than 0 or by a signal, and a call of it had failed: the last that did, apart from searches for libraries that it opened later; the last of its children that ended so before it; the first 2 such processes, and how many more there are, 4 of them by name", (*Summarizer).failedProcesses},
	{"library search", "opens, stats and accesses of names that end in .so, or in .so. and a version, failed with ENOENT 5 times or more; these calls, and a stat with ENOENT of its directory that the thread makes next, as a loader does, count in the numbers of all rules, and for none that anything stands out", (*Summarizer).librarySearch},
	{"missing file", "paths that end in one name failed with ENOENT 5 times or more, and in 10 % of all failures, and no one path in half of those", (*Summarizer).missingFiles},
	{"failing path", "a path that is recorded failed with one errno 5 times or more, and in 10 % of all failures", (*Summarizer).failingPaths},
	{"missing name", "a name was missing (ENOENT) 5 times or more, in 3 directories or more whose path is known", (*Summarizer).missingNames},
	{"asked again", "filesystems were asked for one path 3 times or more", (*Summarizer).askedAgain},
	{"missed directory", "20 dentries or more were allocated for names of one directory, and 20 % of all that a walk missed, without those of paths named before", (*Summarizer).missedDirectories},
	{"slow call", "one call took 10 % or more of the time of 10 calls or more, or had not returned by then", (*Summarizer).slowCall},
	{"negatives left", "10 dentries without inode or more were left in one directory, and 20 % of all that were left", (*Summarizer).negativesLeft},
	{"other target", "an absolute path, none in /proc/self or /dev/fd, led from one root directory to one place, and at another time to another; the first ones", (*Summarizer).otherTargets},
	{"restart", "a walk started over", (*Summarizer).restarts},
}

func (s *Summarizer) failingPaths() (out []Finding) {
	fails := func(e *entry[example]) bool {
		n, path := s.beside(e.Amount, &e.What), e.Key[strings.IndexByte(e.Key, ' ')+1:]
		return n >= someFailures && share(n, s.Total.Failed, 10) && path != "" && !s.named(path)
	}
	for _, e := range outstanding(s.failures, fails) {
		errno, path, _ := strings.Cut(e.Key, " ")
		what := fmt.Sprintf("%s are %s of %s, first at #%d", ofAll(e.Amount, s.Total.Failed, "failures"), errno, replay.Printable(path), e.What.call)
		if x := s.again.find(hashOf("", path), "", path); x != nil && x.Amount >= someAsked && known(path) {
			what += fmt.Sprintf("; %d times a filesystem was asked for it", x.Amount)
		}
		out = append(out, s.failing(e.Amount, path, what, "replay", "--errno", errno, "--path", path, "FILE"))
	}
	return out
}

// outstanding returns the entries of a tally for which counts is true, largest amount first, at most
// perRule.
func outstanding[V any](t *tally[V], counts func(*entry[V]) bool) (out []*entry[V]) {
	for i := range t.entries {
		if e := &t.entries[i]; counts(e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, (*entry[V]).compare)
	return out[:min(len(out), perRule)]
}

// about makes a finding about a path or a name, which later rules then skip.
func (s *Summarizer) about(what, says string, command ...string) Finding {
	s.told = append(s.told, what)
	return Finding{What: says, Command: command}
}

// failing makes a finding about a path or a name that the given number of failures concern.
func (s *Summarizer) failing(failures uint64, what, says string, command ...string) Finding {
	f := s.about(what, says, command...)
	f.failures = failures
	return f
}

// named reports whether an earlier finding is about the path: the whole path, or its last components.
func (s *Summarizer) named(path string) bool {
	return slices.ContainsFunc(s.told, func(told string) bool { return told == path || strings.HasSuffix(path, "/"+told) })
}

// nameTold reports whether an earlier finding is about the name, or about a path that ends in it.
func (s *Summarizer) nameTold(name string) bool {
	return slices.ContainsFunc(s.told, func(told string) bool { return baseOf(told) == name })
}

// ending sums up the failing paths whose last component is the same name.
type ending struct {
	paths, most uint64 // number of paths, and the failures of the path that failed most
	call        uint64 // id of the first of the failed calls
	searching   uint64 // see example
}

// missingFiles finds names that are looked for in many places, such as a library that is not installed,
// where no single path or directory stands out. It adds up the paths kept in the tally, so its numbers are
// lower bounds if more paths failed than the tally keeps.
func (s *Summarizer) missingFiles() (out []Finding) {
	ends := newTally[ending](maxKeys)
	for i := range s.failures.entries {
		e := &s.failures.entries[i]
		errno, path, _ := strings.Cut(e.Key, " ")
		path = strings.TrimRight(path, "/")
		if name := path[strings.LastIndexByte(path, '/')+1:]; errno == "ENOENT" && name != "" {
			x := ends.add(name, e.Amount)
			x.most = max(x.most, e.Amount)
			x.searching += e.What.searching
			if x.paths++; x.call == 0 || e.What.call < x.call {
				x.call = e.What.call
			}
		}
	}
	least := ""
	if s.failures.floor > 0 {
		least = "at least "
	}
	scattered := func(e *entry[ending]) bool {
		n := s.beside(e.Amount, &example{searching: e.What.searching})
		return n >= someFailures && share(n, s.Total.Failed, 10) && 2*e.What.most < e.Amount && !s.nameTold(e.Key)
	}
	for _, e := range outstanding(ends, scattered) {
		out = append(out, s.failing(e.Amount, e.Key, fmt.Sprintf("%s%s are ENOENT of %s%d paths that end in %s, first at #%d", least,
			ofAll(e.Amount, s.Total.Failed, "failures"), least, e.What.paths, replay.Printable(e.Key), e.What.call), showing(e.Key)...))
	}
	return out
}

// interpreter is an exec that failed with ENOENT although the file itself exists.
type interpreter struct {
	path, missing, program string
	exec, call             uint64 // ids of the exec, and of the failed open within it
}

// exec records an exec that failed with ENOENT although its own path led to a dentry: the file it needs to
// open (an interpreter or loader) is missing. It must see every call, since nested calls come before the
// exec.
func (s *Summarizer) exec(c *replay.PathCall) {
	if c.Failed() && c.Outer != 0 {
		s.inner = *c
	}
	if schema.ErrnoName(c.Errno) == "ENOENT" && c.Dentry != nil && s.inner.Outer == c.ID && s.inner.Errno == c.Errno && len(s.execs) < perRule {
		s.execs = append(s.execs, interpreter{c.Path, s.inner.Path, c.Program, c.ID, s.inner.ID})
	}
}

func (s *Summarizer) others() (out []Finding) {
	for _, x := range s.execs {
		s.told = append(s.told, x.missing)
		out = append(out, s.about(x.path, fmt.Sprintf("exec of %s by %s failed at #%d, although that file exists: what is missing is %s, #%d", replay.Printable(x.path),
			replay.Printable(x.program), x.exec, replay.Printable(x.missing), x.call), showing(x.path)...))
	}
	return out
}

func (x *spread) in(dir string) {
	if h := maphash.String(seed, dir); x.n < maxDirs && !slices.Contains(x.dirs[:x.n], h) {
		x.dirs[x.n] = h
		x.n++
	}
}

func (s *Summarizer) missingNames() (out []Finding) {
	many := func(e *entry[spread]) bool {
		return e.What.n >= someDirs && s.beside(e.Amount, &e.What.example) >= someFailures && !s.nameTold(e.Key)
	}
	for _, e := range outstanding(s.names, many) {
		where := fmt.Sprintf("%d directories", e.What.n)
		if e.What.n == maxDirs {
			where += " or more"
		}
		out = append(out, s.failing(e.Amount, e.Key, fmt.Sprintf("%s is missing in %s, %d times, first at #%d in %s", replay.Printable(e.Key), where, e.Amount, e.What.call,
			replay.PrintablePath(e.What.dir)), showing(e.Key)...))
	}
	return out
}

func (s *Summarizer) askedAgain() (out []Finding) {
	again := func(e *entry[example]) bool {
		return s.beside(e.Amount, &e.What) >= someAsked && known(e.Key) && !s.named(e.Key)
	}
	for _, e := range outstanding(s.again, again) {
		out = append(out, s.about(e.Key, fmt.Sprintf("%d times a filesystem was asked for %s, first at #%d", e.Amount, replay.PrintablePath(e.Key), e.What.call), showing(e.Key)...))
	}
	return out
}

func (s *Summarizer) missedDirectories() (out []Finding) {
	all := s.misses.total
	enough := func(e *entry[example]) bool {
		n := s.beside(e.Amount, &e.What)
		if n < someMisses || !share(n, all, 20) || !known(e.Key) {
			return false
		}
		n -= min(n, s.askedNamed(e.Key))
		return n >= someMisses && share(n, all, 20)
	}
	for _, e := range outstanding(s.misses, enough) {
		out = append(out, Finding{
			What:    fmt.Sprintf("%s allocated by walks are for names in %s, first at #%d", ofAll(e.Amount, all, "dentries"), replay.PrintablePath(e.Key), e.What.call),
			Command: []string{"top", "--by", "dir", "--of", "misses", "FILE"},
		})
	}
	return out
}

// askedNamed returns how often a filesystem was asked for paths in a directory that earlier findings are
// about.
func (s *Summarizer) askedNamed(dir string) (n uint64) {
	for i := range s.again.entries {
		if e := &s.again.entries[i]; dirOf(e.Key) == dir && s.named(e.Key) {
			n += e.Amount
		}
	}
	return n
}

func (s *Summarizer) slowCall() []Finding {
	c := s.Total.Slowest
	if s.Total.Calls < someCalls || c == nil || !share(c.Took, s.Total.Took, 10) {
		return nil
	}
	call := fmt.Sprintf("%s of %s by %s", c.Operation, replay.Printable(c.Path), replay.Printable(c.Program))
	command := showing(fmt.Sprintf("#%d", c.ID))
	if c.Unfinished {
		return []Finding{{What: fmt.Sprintf("%s had not returned after %s", call, duration(c.Took)), Command: command}}
	}
	most := ""
	if s.Total.Unfinished > 0 {
		most = "at most "
	}
	what := fmt.Sprintf("%s took %s of %s (%s%s)%s", call, duration(c.Took), s.Total.took(), most, percent(c.Took, s.Total.Took), c.parts())
	return []Finding{{What: what, Command: command}}
}

func (s *Summarizer) negativesLeft() (out []Finding) {
	many := func(e *entry[[8]uint64]) bool {
		return e.Amount >= someLeft && share(e.Amount, s.Negatives.Left, 20) && known(e.Key)
	}
	for _, e := range outstanding(s.left, many) {
		dentries := "dentries"
		if s.Negatives.Unsure > 0 {
			dentries = "dentries known to be"
		}
		out = append(out, Finding{
			What: fmt.Sprintf("%s left without inode are in %s: by %s", ofAll(e.Amount, s.Negatives.Left, dentries), replay.PrintablePath(e.Key),
				list(counted(replay.Births, e.What[:]))),
			Command: []string{"top", "--by", "dir", "--of", "left", "FILE"},
		})
	}
	return out
}

func (s *Summarizer) otherTargets() (out []Finding) {
	var led []*entry[destinations]
	for i := range s.leads.entries {
		if e := &s.leads.entries[i]; e.What.otherID != 0 && !ofWhoAsks(rootless(e.Key)) {
			led = append(led, e)
		}
	}
	slices.SortFunc(led, func(a, b *entry[destinations]) int { return cmp.Compare(a.What.firstID, b.What.firstID) })
	for _, e := range led[:min(len(led), perRule)] {
		out = append(out, Finding{
			What: fmt.Sprintf("%s led to %s at #%d, and to %s at #%d", replay.Printable(rootless(e.Key)), replay.PrintablePath(e.What.first), e.What.firstID,
				replay.PrintablePath(e.What.other), e.What.otherID),
			Command: showing(rootless(e.Key)),
		})
	}
	return out
}

func (s *Summarizer) restarts() []Finding {
	if s.Total.Restarted == 0 {
		return nil
	}
	return []Finding{{
		What:    fmt.Sprintf("%s began in rcu-walk and started over, first #%d", plural.Of(s.Total.Restarted, "walk"), s.restart.call),
		Command: showing(fmt.Sprintf("#%d", s.restart.call)),
	}}
}

// rootless returns the path in a key made with rootKey, without the prefix for the root directory.
func rootless(key string) string { return key[strings.IndexByte(key, '/'):] }

// ofWhoAsks reports whether a path leads to a different place for each process by design.
func ofWhoAsks(path string) bool {
	return slices.ContainsFunc([]string{"/proc/self/", "/proc/thread-self/", "/dev/fd/"}, func(dir string) bool { return strings.HasPrefix(path, dir) })
}

// showing returns the command that shows a path, name or event.
func showing(what string) []string {
	if strings.HasPrefix(what, "-") {
		return []string{"show", "FILE", "--", what}
	}
	return []string{"show", "FILE", what}
}

// known reports whether a path is known up to the root. Two paths that are not may look the same and be
// different.
func known(path string) bool { return strings.HasPrefix(path, "/") }

// find runs all rules and sorts the consecutive findings that count failures by that count, largest first.
func (s *Summarizer) find() {
	for _, rule := range Rules {
		s.Findings = append(s.Findings, ruled(rule.Name, rule.find(s))...)
	}
	counts := func(f Finding) bool { return f.failures > 0 }
	from := max(0, slices.IndexFunc(s.Findings, counts))
	to := from
	for to < len(s.Findings) && counts(s.Findings[to]) {
		to++
	}
	slices.SortStableFunc(s.Findings[from:to], func(a, b Finding) int { return cmp.Compare(b.failures, a.failures) })
}

// ruled sets the rule's name in its findings.
func ruled(rule string, found []Finding) []Finding {
	for i := range found {
		found[i].Rule = rule
	}
	return found
}

// share reports whether part is at least the given percentage of whole.
func share(part, whole, hundredths uint64) bool {
	return whole > 0 && float64(part)*100 >= float64(whole)*float64(hundredths)
}
