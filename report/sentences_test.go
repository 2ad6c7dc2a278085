// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// reader reads a page line by line and checks it against the truth.
type reader struct {
	*truth
	whole  *truth // includes the roles that the page was made without; usually nil
	title  string // of the current part, after ##
	comm   string // program of the current section
	within bool   // the page is at an open, not at events outside any
	stray  int    // number of those events
	at     int    // the number of that open among those of its program that ended, from 1
	listed map[int]bool
	shown  int // opens that the section says are shown; 0: it does not say; −1: no room
	others []*ownCall
	said   int      // number of them that the section says are shown
	calls  int      // number of them that are shown
	links  []string // of the contents, to the sections
	anchor int      // number of the section that begins
	fence  string   // language of the current code block, with an x appended; "" outside
	stdout bool     // the next block is what a program printed
	first  bool     // the next line is the first of its block
}

// sentence is a form that a line may have if it contains a number or a universal word.
type sentence struct {
	form  *regexp.Regexp
	holds func(r *reader, m []string) bool
}

// universal matches the words that make a statement about everything.
var universal = regexp.MustCompile(`(?i)\b(no|none|nothing|never|only|every|each|all|both|always)\b`)

const (
	quoted = "`+ ?.*? ?`+"
	n      = `(\d+)`
)

// sentences are all known forms. A new form must be added together with what it is checked against.
var sentences = func() []sentence {
	var out []sentence
	add := func(form string, holds func(r *reader, m []string) bool) {
		out = append(out, sentence{regexp.MustCompile("^" + form + "$"), holds})
	}
	is := func(got string, want int) bool { return got == strconv.Itoa(want) }
	add(`# What Linux (.*) did with these path names`, func(r *reader, m []string) bool { return m[1] == r.header.GetKernel().GetRelease() })
	add(n+" events(?: of "+quoted+")? on Linux `(.*?)`, `(.*?)`; (?:"+n+` lost|no footer, so the recording did not end cleanly); `+n+` claims proven, `+n+` refuted, `+n+` unproven\.`, func(r *reader, m []string) bool {
		k := r.header.GetKernel()
		return is(m[1], r.count) && m[2] == k.GetRelease() && m[3] == k.GetMachine() && (m[4] == "" || is(m[4], int(r.lost))) &&
			is(m[5], r.total("proven")) && is(m[6], r.total("refuted")) && is(m[7], r.total("unproven"))
	})
	add(`> \*\*The trace is incomplete: (?:`+n+` lost|no footer, so the recording did not end cleanly)\.\*\* Claims that need what is missing are unproven\.`, func(r *reader, m []string) bool {
		return m[1] == "" || is(m[1], int(r.lost)) && r.lost > 0
	})
	add("Made by `dtrec report FILE`; FILE stands for the trace in every command on this page\\.", func(*reader, []string) bool { return true })
	add(`- \[Verdicts\]\(#verdicts\): in all `+n+` proven, `+n+` refuted, `+n+` unproven`, func(r *reader, m []string) bool {
		return is(m[1], r.total("proven")) && is(m[2], r.total("refuted")) && is(m[3], r.total("unproven"))
	})
	add(`- \[User Programs\]\(#user-programs\): (.*)`, func(r *reader, m []string) bool { return r.linked(m[1]) })
	add(`<a id="p`+n+`"></a>`, func(r *reader, m []string) bool { r.anchor = int(parse(m[1])); return r.sectionEnds() })
	add(`\| \[(.*?)\]\(#p`+n+`\) \| (.*?) \| (.*) \| `+n+` proven(?:, `+n+` refuted)?(?:, `+n+` unproven)? \|`, func(r *reader, m []string) bool {
		return r.links[parse(m[2])-1] == m[1] && len(r.cited(spanless(m[4]))) == 0 &&
			int(parse(m[5])) <= r.total("proven") && int(parse("0"+m[6])) <= r.total("refuted") && int(parse("0"+m[7])) <= r.total("unproven")
	})
	add(`<details><summary>claims on dentries, across opens: `+n+`</summary>`, func(r *reader, m []string) bool {
		return is(m[1], r.across[r.comm])
	})
	add("<details><summary>(examples of proven claims|what each probe reads, and the claims that need it)</summary>", func(*reader, []string) bool { return true })
	add(`<details><summary>outside any open(?:, (.*))?: `+n+` events?(?:, and `+n+` more runs? of the same functions with the same outcome)?</summary>`, func(r *reader, m []string) bool {
		r.within, r.stray = false, int(parse(m[2]))
		alike := 0
		if m[3] != "" {
			alike = int(parse(m[3]))
		}
		return int(parse(m[2]))*(1+alike) <= r.outside[r.comm]
	})
	add(`<details><summary>open `+n+` of this program, <code>(.*)</code>(, to execute)?: (.*), `+n+` events; (.*)</summary>`, func(r *reader, m []string) bool { return r.folded(m) })
	add(n+" of its opens(?: and execs)? (?:is|are) shown: (.*); "+n+" more (?:is|are) counted in the verdicts: `+.*`+", func(r *reader, m []string) bool {
		r.shown = int(parse(m[1]))
		return is(m[3], len(r.ended(r.comm))-r.shown)
	})
	add("<details><summary>((?:walk of )?[a-z]+) #"+n+", <code>(.*)</code>: (.*?); (.*)</summary>", func(r *reader, m []string) bool { return r.called(m[1], m[2], m[3], m[4], m[5]) })
	add(n+" of its other walks and operations (?:is|are) shown: .*; all path calls: `+.*`+", func(r *reader, m []string) bool { return r.shownCalls(m[1]) })
	add("- Linux `(.*?)` `(.*)`, `(.*?)`", func(r *reader, m []string) bool {
		k := r.header.GetKernel()
		return slices.Equal(m[1:], []string{k.GetRelease(), k.GetVersion(), k.GetMachine()})
	})
	add("- ([a-z_0-9]+): (.*\\))", func(r *reader, m []string) bool { return r.symbols(m[1], m[2]) })
	add("This report uses one run: id `([0-9a-f]*)`, "+n+` events, (?:`+n+` lost|no footer, so the recording did not end cleanly)\. The addresses, .* Your run will differ\.`,
		func(r *reader, m []string) bool {
			return m[1] == fmt.Sprintf("%x", r.header.RunId) && is(m[2], r.count) && (m[3] == "" || is(m[3], int(r.lost)))
		})
	add(`D1, D2 … are dentries, numbered in the order in which they were first seen\. .* Beside every claim is its verdict\.`, func(*reader, []string) bool { return true })
	add(`- missing: `+n+` events?(?: of ([a-z_]+))? \(([^()]*)\), (?:in `+n+` stretches, the first )?from `+n+` ns to `+n+` ns`, func(r *reader, m []string) bool {
		return r.missing(m)
	})
	add(`\| ([a-z ]+) \| `+n+` \| `+n+` \| `+n+` \| (.*) \|`, func(r *reader, m []string) bool {
		v := r.verdicts[m[1]]
		return slices.ContainsFunc(Kinds(), func(k KindInfo) bool { return k.Name == m[1] && k.Says == m[5] }) && is(m[2], v["proven"]) && is(m[3], v["refuted"]) && is(m[4], v["unproven"])
	})
	add(`- \*\*(refuted|unproven)\*\* ([a-z ]+) of ((?:`+quoted+`(?:, )?)+(?: and others)?)(?:, `+n+` times)?: (.*)`, func(r *reader, m []string) bool { return r.doubted(m) })
	add(`- … and `+n+" more claims that are not proven: `dtrec check FILE`", func(r *reader, m []string) bool {
		return is(m[1], r.total("refuted")+r.total("unproven")-r.named)
	})
	add(`- Pointer equality of one dentry is proven `+n+` times\.`, func(r *reader, m []string) bool { return is(m[1], r.proven("equality")) })
	add(`- Name offsets match path prefix lengths `+n+` times(, as in .*)?\.`, func(r *reader, m []string) bool {
		return is(m[1], r.proven("prefix")) && r.lengths(m[2])
	})
	add(`- A missing name still has a dentry: proven in `+n+` opens\.`, func(r *reader, m []string) bool { return is(m[1], r.kept) })
	add(`- `+n+` of `+n+` hashes recomputed from parent address and name equal the kernel's\.`, func(r *reader, m []string) bool {
		right, all := r.hashes()
		return is(m[1], right) && is(m[2], all)
	})
	add(`\*\*Read as if [a-z_0-9]+ had not been recorded\*\*: its events are left out, and "not attached" below means that\.`, func(r *reader, m []string) bool {
		return r.whole != nil
	})
	add(`- ([a-z ]+), `+n+` of `+n+`: (?:(.*?; )?`+n+` claims? not made without those events)?.*`, func(r *reader, m []string) bool {
		with, without := r.whole.proven(m[1]), r.proven(m[1])
		return is(m[2], with-without) && is(m[3], with) && (m[5] == "" || is(m[5], r.whole.made(m[1])-r.made(m[1])))
	})
	add(`No longer proven without [a-z_0-9]+:`, func(r *reader, m []string) bool { return r.whole != nil })
	add(`- none`, func(r *reader, m []string) bool { return r.total("proven") >= r.whole.total("proven") })
	add(`- Nothing could be proven; the reasons are above\.`, func(r *reader, m []string) bool { return r.total("proven") == 0 })
	add(`(Pointer equality|The offset of a component is a subtraction|Eviction is two events and a subtraction)\. No claim of this kind is proven in this run\.`,
		func(r *reader, m []string) bool { return r.proven(kindOf[m[1]]) == 0 })
	add(`A negative dentry is proven by pointer equality too\. No missing name is proven to stay in the cache in this run\.`, func(r *reader, m []string) bool { return r.kept == 0 })
	add(`(Start with|Now go on|Now go back) .*\. No claim of this kind is proven in this run\.`, func(r *reader, m []string) bool {
		return r.proven(kindOf[m[1]]) == 0
	})
	add(`At least this many of the proven claims need each probe: (.*)\.`, func(r *reader, m []string) bool { return r.ablations(m[1]) })
	add(`(?:pid `+n+`|`+n+` processes), opens: `+n+`(?:, and `+n+` of programs to execute)?(?: \(`+n+` of them without a known return\))?, failed: `+n+`(?:; ended: (.*?))?\.( The page has no room for more of it\.)?`,
		func(r *reader, m []string) bool {
			if m[8] != "" {
				r.shown = -1
			}
			return r.program(m)
		})
	add(`The events that prove one claim, (eviction|negative|equality) of (`+quoted+`) in (.*):`, func(r *reader, m []string) bool {
		return r.proven(m[1]) > 0
	})
	add(`open `+n+` of this program, (`+quoted+`)(, to execute)?, at its last component:`, func(r *reader, m []string) bool { return r.open(m[1], m[3]) && m[2] == code(r.current().enter.Name) })
	add(`- … `+n+` more events`, func(r *reader, m []string) bool { return is(m[1], r.eventsOfItem()-maxSteps) })
	add(n+" more programs are counted in the verdicts but not shown: `dtrec top --by program FILE`", func(r *reader, m []string) bool { return is(m[1], len(r.sections)-maxPrograms) })
	add(`At least `+n+` more events of this program, outside any open, are not shown\.`, func(r *reader, m []string) bool {
		return parse(m[1]) > 0 && parse(m[1]) <= uint64(r.outside[r.comm])
	})
	add(`- … `+n+` more claims on dentries, across opens`, func(r *reader, m []string) bool {
		return is(m[1], r.across[r.comm]-maxClaims)
	})
	add(`Learned: .*`, func(r *reader, m []string) bool { return true }) // its clauses are checked by clauses
	for _, fixed := range []string{
		`Example lines \(from this run\):`, `What we learned \(from this run only\):`,
		"`dtrec record` attaches eBPF programs to the probes above and writes each hit as an event\\.",
		"`dtrec report` reads the events, and nothing else, and writes this page\\.",
		`\|---.*`, `\| probe \| reads \| when \| needed by \|`, "\\| `.*` \\| [^|]* \\| [^|]* \\| [a-z, ]* \\|",
		`(open|creat|close|unlink|write|sync|proc_sys_vm|mount|bpf)\([258]\): .*`,
	} {
		add(fixed, func(*reader, []string) bool { return true })
	}
	return out
}()

var noFileWords = regexp.MustCompile(`\bno file\b`)

var kindOf = map[string]string{"Pointer equality": "equality", "The offset of a component is a subtraction": "prefix", "Eviction is two events and a subtraction": "eviction",
	"Start with": "equality", "Now go on": "eviction", "Now go back": "prefix"}

// line checks one line of the page.
func (r *reader) line(l string) (wrong []string) {
	if lang, ok := strings.CutPrefix(strings.TrimLeft(l, "`"), ""); ok && strings.HasPrefix(l, "```") && !strings.Contains(lang, "`") {
		if r.fence != "" {
			r.fence = ""
		} else if r.fence, r.first = lang+"x", true; r.stdout {
			r.fence = "stdout"
		}
		r.stdout = false
		return nil
	}
	if r.fence != "" {
		return r.block(l)
	}
	if t, ok := strings.CutPrefix(l, "## "); ok {
		r.title = t
		return nil
	}
	if t, ok := strings.CutPrefix(l, "### "); ok {
		return r.heading(t)
	}
	if l == "stdout" {
		r.stdout = true
	}
	prose := spanless(l)
	if r.title == "Why These Probes" && strings.HasSuffix(l, ")") || !number.MatchString(prose) && !universal.MatchString(prose) {
		return nil
	}
	for _, s := range sentences {
		if m := s.form.FindStringSubmatch(l); m != nil {
			if !s.holds(r, m) {
				return []string{"it does not hold"}
			}
			if strings.HasPrefix(l, "Learned: ") {
				return r.clauses(l)
			}
			return nil
		}
	}
	if !eventID.MatchString(l) {
		return []string{"no such sentence is known: add its form and what it is held against"}
	}
	return append(r.cited(spanless(l)), r.denials(l)...)
}

// heading begins the section of a program.
func (r *reader) heading(t string) []string {
	for comm := range r.processes {
		if h := text(comm); h == t || h+".c" == t {
			r.comm, r.listed, r.shown, r.said, r.calls = comm, make(map[int]bool), 0, 0, 0
			if r.anchor < 1 || r.anchor > len(r.links) || r.links[r.anchor-1] != h {
				return []string{"the contents have it elsewhere"}
			}
			return nil
		}
	}
	return []string{"no task has that name"}
}

// block checks a line of a code block.
func (r *reader) block(l string) []string {
	first := r.first
	r.first = false
	switch {
	case r.fence == "cx" || r.fence == "stdout" || r.title == "Why These Probes":
		return nil
	case first && !eventID.MatchString(l):
		return nil // the path above a tree
	case strings.HasPrefix(l, "└─ … "):
		more := int(parse(number.FindString(l)))
		if more != r.eventsOfItem()-maxSteps {
			return []string{"not so many"}
		}
		return nil
	}
	return r.cited(l)
}

// current returns the open that the page is at.
func (r *reader) current() *ownOpen { return r.ended(r.comm)[r.at-1] }

// eventsOfItem returns the number of events of the item that the page is at.
func (r *reader) eventsOfItem() int {
	if r.within {
		return r.current().events
	}
	return r.stray
}

func (r *reader) open(which, execute string) bool {
	r.at, r.within = int(parse(which)), true
	if r.at < 1 || r.at > len(r.ended(r.comm)) {
		return false
	}
	r.listed[r.at] = true
	return (execute != "") == (r.current().enter.Flags&0x20 != 0)
}

func (r *reader) program(m []string) bool {
	processes, opens, execs, open, failed := len(r.processes[r.comm]), 0, 0, 0, 0
	for _, o := range r.opens {
		switch {
		case o.enter.Comm != r.comm:
			continue
		case o.exit == nil:
			open++
		case o.exit.Errno() != 0:
			failed++
		}
		if opens++; o.ofExec {
			execs++
		}
	}
	if m[1] != "" {
		pid, _ := strconv.Atoi(m[1])
		if processes > 1 || processes == 1 && !r.processes[r.comm][[2]int{pid, 0}] && !r.processes[r.comm][[2]int{pid, 1}] {
			return false
		}
	}
	blank := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	return (m[1] != "" || m[2] == strconv.Itoa(processes)) && m[3] == strconv.Itoa(opens-execs) && m[4] == blank(execs) && m[5] == blank(open) && m[6] == strconv.Itoa(failed) &&
		r.endings(m[7], processes)
}

func (r *reader) endings(said string, processes int) bool {
	var want []string
	for status, count := range r.exits[r.comm] {
		how := fmt.Sprintf("exit code %d", status>>8)
		if status&0x7f != 0 {
			how = "killed by " + schema.SignalName(int(status&0x7f))
		}
		if processes > 1 {
			how += fmt.Sprintf(" (%d)", count)
		}
		want = append(want, how)
	}
	var got []string
	if said != "" {
		got = strings.Split(said, ", ")
	}
	slices.Sort(want)
	slices.Sort(got)
	return slices.Equal(want, got)
}

// doubted checks a line about a doubt and its count, and adds the count to those named.
func (r *reader) doubted(m []string) bool {
	count := 1
	if m[4] != "" {
		count, _ = strconv.Atoi(m[4])
	}
	r.named += count
	for _, d := range r.doubts {
		if d.verdict == m[1] && d.kind == m[2] && d.count == count && d.of(m[3]) && d.because(m[5]) {
			return true
		}
	}
	return false
}

// of reports whether the subjects named are those of the doubt, and whether "and others" stands for the
// rest.
func (d *ownDoubt) of(said string) bool {
	said, others := strings.CutSuffix(said, " and others")
	left := len(d.subjects)
	for s := range d.subjects {
		if rest := strings.Replace(" "+said+",", " "+code(s)+",", "", 1); rest != " "+said+"," {
			said, left = strings.Trim(rest, " ,"), left-1
		}
	}
	return said == "" && others == (left > 0)
}

// because reports whether the reason is that of the doubt, with "…" if its claims have different events.
func (d *ownDoubt) because(said string) bool {
	before, after, several := strings.Cut(said, "…")
	if several != (len(d.reasons) > 1) {
		return false
	}
	for reason := range d.reasons {
		if reason = text(reason); !strings.HasPrefix(reason, before) || !strings.HasSuffix(reason, after) || !several && reason != said {
			return false
		}
	}
	return true
}
