// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dtrec/dtrec/schema"
)

// WriteText prints the info for people. The name is what the file is called.
func (i *Info) WriteText(w io.Writer, name string) error {
	p := bufio.NewWriter(w)
	i.writeSummary(p, name)
	i.writeProbes(p)
	i.writeLayout(p)
	i.writeCounts(p)
	i.writePrograms(p)
	i.writeLoss(p)
	return p.Flush()
}

// table prints rows of cells in aligned columns, under the title unless that is empty.
func table(p io.Writer, title string, rows ...[]string) {
	indent := ""
	if title != "" {
		fmt.Fprintf(p, "\n%s\n", title)
		indent = "  "
	}
	t := tabwriter.NewWriter(p, 0, 0, 2, ' ', 0)
	for _, cells := range rows {
		fmt.Fprintln(t, indent+strings.Join(cells, "\t"))
	}
	t.Flush()
}

// row returns the cells as strings.
func row(cells ...any) (out []string) {
	for _, c := range cells {
		out = append(out, fmt.Sprint(c))
	}
	return out
}

func (i *Info) writeSummary(p io.Writer, name string) {
	h := i.Header
	state := "complete"
	switch {
	case i.Complete() && i.Indexed:
		state = "not cut; its events were not read"
	case i.Complete() && h.Imported():
		state = "made of " + i.sourceName()
	case i.Footer == nil:
		state = "cut: its end is missing"
	case len(i.Damage) > 0:
		state = "damaged"
	}
	fmt.Fprintf(p, "%s: dtrec trace, format %d, %s\n\n", name, h.FormatVersion, state)
	rows := [][]string{
		{"written by", Printable(h.Writer)},
		{"run", fmt.Sprintf("%x", h.RunId)},
		{"part", i.part()},
		{"boot", Printable(h.BootId)},
		{"started", started(h)},
		{"kernel", Printable(h.GetKernel().GetRelease()) + " " + Printable(h.GetKernel().GetMachine())},
		{"", Printable(h.GetKernel().GetVersion())},
		{"command", CommandLine(fromStored(h.Command))},
		{"recorded", cmp.Or(printableStored(h.Target), "all tasks")},
	}
	if !h.Imported() {
		rows = append(rows, []string{"ring buffer", fmt.Sprintf("%d bytes", h.RingBufferBytes)},
			[]string{"watched", fmt.Sprintf("up to %d dentries", h.WatchLimit)})
	}
	if f := i.Footer; f != nil && !h.Imported() {
		rows = append(rows, []string{"ended", i.ended()})
	}
	rows = append(rows,
		[]string{"size", fmt.Sprintf("%d bytes, %.1f per event", i.Bytes, i.BytesPerEvent())},
		[]string{"events", i.span()},
		[]string{"lost", i.lostText()})
	if i.Indexed {
		rows = append(rows, []string{"read", "only header, footer and seek index; any other command says whether events are damaged"})
	}
	table(p, "", dropEmpty(rows)...)
}

// ended says when and why the recording ended, and the exit code if what was recorded had ended by then: -p and
// the like have none, and a rotated recording has it in its last file.
func (i *Info) ended() string {
	f := i.Footer
	text := fmt.Sprintf("%s s after boot by %s", seconds(f.EndNs), Printable(f.EndedBy))
	if f.EndedBy != "rotation" && (len(i.Programs) > 0 || f.ExitCode != 0) {
		text += fmt.Sprintf(", exit code %d", f.ExitCode)
	}
	return text
}

// part says which file of a recording this is; empty if the file is the whole recording.
func (i *Info) part() string {
	if i.Header.Part == 0 {
		return ""
	}
	return fmt.Sprintf("%d of recording %x; what its other files hold is not known here", i.Header.Part, i.Header.RecordingId)
}

// sourceName says what an imported trace was made from.
func (i *Info) sourceName() string {
	if i.Header.Logged() {
		return "a kernel log"
	}
	return "the text of a trace buffer"
}

// lostText says how many events are known to be missing. For an imported trace these are only those that its text
// names.
func (i *Info) lostText() string {
	n := i.Lost + i.Damaged
	switch {
	case !i.Header.Imported() && i.Footer == nil:
		return fmt.Sprintf("%d up to the end of what is there", n)
	case !i.Header.Imported():
		return fmt.Sprintf("%d", n)
	case n == 0:
		return "not known: " + i.sourceName() + " does not count them"
	}
	return fmt.Sprintf("%d in the trace; %s does not say how many it lacks", n, i.sourceName())
}

func (i *Info) span() string {
	if i.Events == 0 {
		return "none"
	}
	return fmt.Sprintf("%d, from %s to %s s%s (%s s)", i.Events, seconds(i.First), seconds(i.Last), i.timeOrigin(), seconds(i.Last-i.First))
}

// timeOrigin says what times count from. An imported log without printk times, or with dates, does not count
// from boot.
func (i *Info) timeOrigin() string {
	if i.Header.Imported() {
		return " by the clock of the log"
	} else if i.Header.Redacted() {
		return " after the recording began"
	}
	return " after boot"
}

// started returns the time of the start, or "" where the trace does not have it.
func started(h *schema.Header) string {
	if h.StartUnixNs == 0 && (h.Imported() || h.Redacted()) {
		return ""
	}
	return fmt.Sprintf("%s, %s s after boot", wallClock(h.StartUnixNs), seconds(h.StartBootNs))
}

func (i *Info) writeProbes(p io.Writer) {
	rows := [][]string{{"role", "phase", "symbol", "attach", "attached"}}
	attachedTo, after := make(map[kind]bool), 0
	for _, b := range i.Header.Probe {
		of := kind{b.Role, b.Phase}
		if !b.Attached && attachedTo[of] {
			after++
			continue
		}
		attachedTo[of] = attachedTo[of] || b.Attached
		attached := "yes"
		switch {
		case b.Attached && b.Uncounted:
			attached = "yes; missed hits are not counted"
		case !b.Attached:
			attached = "no: " + cmp.Or(Printable(b.Error), "reason not recorded")
		}
		rows = append(rows, []string{b.Role.Label(), b.Phase.Label(), Printable(b.Symbol), b.Attach.Label(), attached})
	}
	title := "Probes, in the order tried"
	if after > 0 {
		title += fmt.Sprintf("; --format json also has the %d tried after the one that is attached", after)
	}
	table(p, title, rows...)
}

func (i *Info) writeLayout(p io.Writer) {
	l := i.Header.GetLayout()
	if i.Header.Imported() {
		table(p, "Layout", []string{"not known"})
		return
	}
	table(p, "Layout (offsets and sizes in bytes)",
		[]string{"struct dentry", fmt.Sprintf("%d: d_hash %d, d_parent %d, d_name %d, d_inode %d, %s %d (%d long)", l.GetDentrySize(),
			l.GetDHash(), l.GetDParent(), l.GetDName(), l.GetDInode(), cmp.Or(Printable(l.GetInlineNameField()), "inline name"), l.GetInlineName(), l.GetInlineNameSize())},
		[]string{"external name", fmt.Sprintf("name %d", l.GetExternalName())},
		[]string{"struct filename", fmt.Sprintf("name %d, iname %d", l.GetFilenameName(), l.GetFilenameIname())},
		[]string{"hash table", fmt.Sprintf("dentry_hashtable %#x, d_hash_shift %d", l.GetDentryHashtable(), l.GetDHashShift())},
		[]string{"name hash", l.GetNameHash().Label()},
		row("page", l.GetPageSize()))
}

func (i *Info) writeCounts(p io.Writer) {
	if len(i.Counts) == 0 {
		return
	}
	rows := [][]string{{"role", "phase", "events"}}
	for _, c := range i.Counts {
		rows = append(rows, row(c.Role.Label(), c.Phase.Label(), c.Events))
	}
	table(p, "Events", rows...)
}

func (i *Info) writePrograms(p io.Writer) {
	if len(i.Programs) == 0 {
		return
	}
	rows := [][]string{{"name", "pid", "ended", "exit", "source", "printed"}}
	for _, g := range i.Programs {
		rows = append(rows, row(printableStored(g.Name), g.Pid, seconds(g.EndNs), g.ExitCode, fmt.Sprintf("%d lines", len(g.Source)), fmt.Sprintf("%d bytes", len(g.Stdout))))
	}
	table(p, "Programs", rows...)
}

func (i *Info) writeLoss(p io.Writer) {
	if len(i.Loss) > 0 {
		rows := [][]string{{"cause", "role", "cpu", "events", "from", "to"}}
		for _, l := range i.Loss {
			role := "any"
			if l.Role != schema.Role_ROLE_UNSPECIFIED {
				role = l.Role.Label()
			}
			rows = append(rows, row(l.Cause.Label(), role, l.Cpu, l.Count, seconds(l.FirstNs), seconds(l.LastNs)))
		}
		table(p, "Loss", rows...)
	}
	if len(i.Damage) > 0 {
		rows := [][]string{{"at byte", "bytes", "events", "what"}}
		for _, d := range i.Damage {
			events, what := fmt.Sprint(d.Events), Printable(d.Err.Error())
			switch {
			case d.Behind:
				what = "behind the end of the run: " + what
			case d.Cut:
				events, what = "unknown", "the file ends here: "+what
			}
			rows = append(rows, row(d.Offset, d.Bytes, events, what))
		}
		table(p, "Damage", rows...)
	}
	if i.Unlisted > 0 {
		fmt.Fprintf(p, "\n%d more losses, damaged places or programs are counted above but not listed.\n", i.Unlisted)
	}
}

// dropEmpty drops the rows without a value.
func dropEmpty(rows [][]string) [][]string {
	kept := rows[:0]
	for _, r := range rows {
		if r[1] != "" {
			kept = append(kept, r)
		}
	}
	return kept
}

// RecordedCommand returns what was recorded as one would type it: a command, or dtrec record with the flags
// that said what to record. It is empty where the header does not say.
func RecordedCommand(h *schema.Header) string {
	command := fromStored(h.GetCommand())
	if len(command) > 0 && strings.HasPrefix(command[0], "-") {
		command = append([]string{"dtrec", "record"}, command...)
	}
	return CommandLine(command)
}

// CommandLine joins a command line, quoted so that a shell splits it into the same words again. It also
// quotes words with "www.", : or @: a Markdown page escapes these with backslashes, lest they become a
// link, and the shell must keep them.
func CommandLine(command []string) string {
	quoted := make([]string, len(command))
	for i, w := range command {
		switch quoted[i] = Printable(w); {
		case quoted[i] != w:
			quoted[i] = "$'" + strings.ReplaceAll(quoted[i], "'", `\'`) + "'"
		case w == "" || strings.ContainsAny(w, " '\"$`*?[]{}~#!;&|<>():@") || strings.Contains(w, "www."):
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// seconds prints nanoseconds as seconds with nine decimals.
func seconds(ns uint64) string { return fmt.Sprintf("%d.%09d", ns/1e9, ns%1e9) }

func wallClock(unixNs int64) string {
	return time.Unix(0, unixNs).UTC().Format("2006-01-02T15:04:05.000000000Z")
}
