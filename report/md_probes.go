// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/schema"
)

// whyTheseProbes shows by examples what the probes are for, what each reads, and which claims need it.
func (p *page) whyTheseProbes() {
	p.examples(func(t *pageText) *paragraph { return &t.probes }, func(cl *Claim) string { return cl.Says(code) })
	p.Fence("", structures(p.f.Header.GetLayout()))
	p.Line("")
	p.part(p.probeTable)
}

// structures returns the kernel structures that the probes read, with the offsets of the recorded kernel.
func structures(l *schema.Layout) []string {
	return []string{
		fmt.Sprintf("struct dentry, %d bytes { d_parent @%d, d_name @%d, d_inode @%d, %s[%d] @%d, d_hash @%d }", l.GetDentrySize(), l.GetDParent(),
			l.GetDName(), l.GetDInode(), l.GetInlineNameField(), l.GetInlineNameSize(), l.GetInlineName(), l.GetDHash()),
		fmt.Sprintf("struct filename { name @%d, iname @%d }", l.GetFilenameName(), l.GetFilenameIname()),
		fmt.Sprintf("dentry_hashtable = %#x, d_hash_shift = %d", l.GetDentryHashtable(), l.GetDHashShift()),
	}
}

// probeTable writes for each role what its probes read, what one of its events says, and which claims need
// it.
func (p *page) probeTable() {
	p.Line("<details><summary>what each probe reads, and the claims that need it</summary>\n")
	p.Line("| probe | reads | one event says | needed by |\n|---|---|---|---|")
	enters, exits := replay.RolesByPhase(p.f.Header)
	for _, info := range schema.Catalogue() {
		var labels, reads []string
		for phase, recorded := range []replay.Roles{schema.Enter: enters, schema.Exit: exits} {
			phase := schema.Phase(phase)
			if shape := info.Role.Shape(phase); shape != nil && recorded.Has(info.Role) {
				labels = append(labels, md.Cell(p.f.Label(info.Role, phase)))
				columns := p.f.columns[info.Role][phase] // an older recorder may have read less
				if columns == 0 {
					columns = shape.Columns
				}
				if fields := columns.ProbeReads(info.Role); len(fields) > 0 {
					reads = append(reads, strings.TrimSpace(phaseWord(phase))+": "+strings.Join(fields, "; "))
				}
			}
		}
		if len(labels) > 0 {
			p.Line("| %s | %s | %s | %s |", strings.Join(labels, ", "), strings.Join(reads, ". "), text(p.says(info)), needed(info.Role))
		}
	}
	p.Line("\n</details>\n")
}

// manPages writes a line about each call that the programs of this run or dtrec make.
func (p *page) manPages() {
	p.Line("<details><summary>the calls that the programs and dtrec make</summary>\n")
	used := make(map[string]bool)
	for _, prog := range p.f.Programs {
		for _, line := range prog.Source {
			for _, m := range manTable {
				if strings.Contains(line, m.call+"(") || strings.Contains(line, m.also) && m.also != "" {
					used[m.name] = true
				}
			}
		}
	}
	for _, m := range manTable {
		if m.always || used[m.name] {
			p.Line("%s: %s  ", m.name, m.says)
		}
	}
	p.Line("\n</details>")
}

var manTable = []struct {
	name, call, also string
	always           bool
	says             string
}{
	{"open(2)", "open", "", true, "`int open(const char *pathname, int flags, ...);` returns a file descriptor, or -1 and errno."},
	{"creat(2)", "creat", "", false, "`int creat(const char *pathname, mode_t mode);` is open with O_CREAT\\|O_WRONLY\\|O_TRUNC."},
	{"close(2)", "close", "", false, "`int close(int fd);` returns 0, or -1 and errno."},
	{"unlink(2)", "unlink", "", false, "`int unlink(const char *pathname);` returns 0, or -1 and errno."},
	{"write(2)", "write", "", false, "`ssize_t write(int fd, const void *buf, size_t count);` returns the bytes written, or -1 and errno."},
	{"sync(2)", "sync", "", false, "`void sync(void);` writes filesystem buffers to disk, so that drop_caches finds them clean."},
	{"proc_sys_vm(5)", "drop_caches", "drop_caches", false, "writing 2 to `/proc/sys/vm/drop_caches` frees dentries and inodes."},
	{"mount(8)", "mount", "/mnt/loopfs", false, "`mount DEVICE DIR`: an ext2 image is mounted on /mnt/loopfs."},
	{"bpf(2)", "bpf", "", true, "loads and attaches the programs behind these probes."},
}

// rule says how the opens that are shown were chosen, if not all are shown.
func (p *page) rule(prog *Program, chosen []*Item, key *Item) {
	if key != nil && !slices.Contains(chosen, key) {
		chosen = append(slices.Clone(chosen), key)
	}
	shown, rules := p.chose(prog, chosen, true)
	if shown == prog.Ended {
		return
	}
	op, opens := "open", md.Literal("opens")
	if prog.execs > 0 {
		op, opens = "open,exec", "opens and execs"
	}
	p.Line("%d of its %s %s shown%s; %d more %s counted in the verdicts%s", shown, opens, are(shown), rules, prog.Ended-shown, are(prog.Ended-shown),
		p.shownBy("", "--op", op, "--comm", prog.Comm))
}

// says returns what one event of a role says. It leaves out the name of the usual function if another one
// was attached.
func (p *page) says(info schema.RoleInfo) string {
	for _, b := range p.f.Header.GetProbe() {
		if doc, _, named := strings.Cut(info.Doc, ": "); named && b.Role == info.Role && b.Attached && !strings.Contains(info.Doc, b.Symbol) {
			return doc
		}
	}
	return info.Doc
}

// shownBy returns a word and the command that shows everything that is counted. If the page covers only a
// part of the run there is none, since these flags alone do not select that part.
func (p *page) shownBy(word string, flags ...string) string {
	if len(p.Picked) > 0 {
		return "."
	}
	return word + ": " + md.Span(replay.CommandLine(append(append([]string{"dtrec", "replay"}, flags...), "FILE")))
}

// chose counts the opens of a program, or its other path calls, among the chosen items. It returns the rules
// by which they were chosen: those of the reasons, and the one that left out others.
func (p *page) chose(prog *Program, chosen []*Item, opens bool) (shown uint64, rules string) {
	isOne := func(it *Item) bool { return opens && it.Open || !opens && it.Op != "" }
	picked, why := uint64(0), Pick(0)
	for _, it := range prog.Items {
		if isOne(it) {
			picked++
		}
	}
	for _, it := range chosen {
		if isOne(it) {
			shown++
			why |= it.Why
		}
	}
	by := why.rules(opens)
	switch {
	case p.Brief:
		by = append(by, "--brief shows no more")
	case shown < picked || prog.Squeezed:
		by = append(by, "as far as there is room")
	}
	if len(by) == 0 {
		return shown, ""
	}
	return shown, ": " + strings.Join(by, ", ")
}

// rules returns the rules by which opens, or other path calls, were picked.
func (why Pick) rules(opens bool) (rules []string) {
	for _, r := range picks {
		switch {
		case why&r.why == 0:
		case r.why == PickFailed && !opens:
			rules = append(rules, "the first with each errno of each operation")
		default:
			rules = append(rules, r.rule)
		}
	}
	return rules
}

// otherCalls says how many walks and operations other than opens are shown, and how they were chosen. A stat is judged by its
// walk, as the claims are on that: it may fail, or take its time, after it.
func (p *page) otherCalls(prog *Program, chosen []*Item) {
	if shown, rules := p.chose(prog, chosen, false); shown > 0 {
		p.Line("%d of its other walks and operations %s shown%s%s", shown, are(shown), rules, p.shownBy("; all path calls", "--comm", prog.Comm))
	}
}

func are(n uint64) md.Literal {
	if n == 1 {
		return "is"
	}
	return "are"
}
