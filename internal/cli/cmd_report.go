// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/dtrec/dtrec/report/html"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newReportCmd() *cobra.Command {
	var o findingsOptions
	var page report.PageOptions
	cmd := &cobra.Command{
		Use:   "report FILE",
		Short: "Write what happened, and the proof, as a page",
		Long: `Writes what the kernel did with each path as a page of Markdown. The page is made from
the events of the trace alone: every number cites its event, every claim has a verdict.
FILE may be - for stdin.

What stands out comes first. Of a program's path calls those are shown in full that are
refuted, unproven, slow, walked again, or the first of their kind. --select shows more:
#56 for an event in the call, D12 for a dentry in it, a path, or its last component.
A page has at most 500 KB; --brief leaves the proofs out and keeps to 64 KB. --without
judges as if the roles had not been recorded; what can no longer be proven says what it
lacks. --explain hash ends the page with every hash computed step by step, for a reader
with a calculator. The filters are those of replay, without --role. Under filters,
claims made at an event that is not picked are neither shown nor counted, nor are
claims that only the end of the trace decides.

--format html writes one file for a browser, which needs no network: a timeline of
calls, the lives of dentries, the tree of paths, the claims with their proof, and the
run to step through. --format json writes the value that this page shows. Both are of the
whole trace: filters, --without, --select and --brief are for Markdown.

Exit status: 0 written, 2 not readable.`,
		Example: `  dtrec report traces/run1.pb > stage2.md
  dtrec report --select /tmp/t_e.txt --select D12 traces/run1.pb
  dtrec report --without insert traces/run1.pb
  dtrec report --explain hash traces/run1.pb
  dtrec report --format html -o run1.html traces/run1.pb`,
		Args: takes(1, 1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if formatOf(cmd) != markdownFormat {
				for _, name := range append([]string{"without", "explain", "select", "brief", "front-matter"}, filterFlags...) {
					if cmd.Flags().Changed(name) {
						return usageError(cmd, fmt.Errorf("--%s is for Markdown", name))
					}
				}
				return writeHTML(cmd, args[0])
			}
			page.Judged, page.Picked = o.givenFlags(cmd), o.givenFilters(cmd)
			return o.writePage(cmd, args[0], page)
		},
	}
	o.register(cmd.Flags())
	addFormatFlag(cmd, markdownFormat, htmlFormat, jsonFormat)
	registerPage(cmd.Flags(), &page)
	return cmd
}

// registerPage registers the flags that choose the contents of a page.
func registerPage(f *pflag.FlagSet, o *report.PageOptions) {
	f.Var(flagOf(&o.ExplainHash, "", readExplained), "explain", "show `WHAT` step by step: hash")
	f.BoolVar(&o.Brief, "brief", false, "at most 64 KB, without proofs")
	f.BoolVar(&o.FrontMatter, "front-matter", false, "begin with front matter for Jekyll")
	f.StringArrayVar(&o.Select, "select", nil, "show the path calls of `WHAT` in full: a path, a name, #56 or D12")
}

func readExplained(what string) (hash bool, err error) {
	if what != "hash" {
		return false, &wordError{what, "only hash can be explained"}
	}
	return true, nil
}

// writePage writes the page of the trace in a file to stdout.
func (o *findingsOptions) writePage(cmd *cobra.Command, path string, page report.PageOptions) error {
	t, err := openTrace(cmd, path)
	if err != nil {
		return err
	}
	defer t.Close()
	src, judged := o.judgedPart(t)
	f, err := writePage(cmd.OutOrStdout(), src, judged, page)
	explainEmptyPick(cmd, src)
	for i, what := range page.Select {
		if f != nil && slices.Contains(f.Unmet, replay.Unescape(what)) && slices.Index(page.Select, what) == i {
			fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: --select %s: the page shows no path call of it\n", oneLine(what))
		}
	}
	return err
}

// writePage reads a trace to its end and writes its page.
func writePage(w io.Writer, src replay.Source, judged report.Options, page report.PageOptions) (*report.Findings, error) {
	for _, what := range page.Select {
		judged.Select = append(judged.Select, replay.Unescape(what))
	}
	s := answers.NewSummarizer(replay.WithoutRoles(src.Header(), judged.Without))
	s.Pick(src)
	s.State().Reuse()
	judged.Beside = s
	f, err := report.Judge(src, judged)
	if err != nil {
		return nil, err
	}
	opening := s.End()
	opening.Picked, page.Opening = page.Picked, opening
	return f, report.Markdown(w, f, page)
}

// findingsOptions holds the flags shared by the commands that judge a trace.
type findingsOptions struct {
	filterOptions
	without []schema.Role
}

func (o *findingsOptions) register(f *pflag.FlagSet) {
	addRunFlag(f)
	f.Var(listOf(&o.without, readRole, roleNames()...), "without", "judge as if these `ROLES` had not been recorded, e.g. insert,kill")
	o.filterOptions.register(f)
}

// givenFlags returns those of these flags that were set on the command line, as words: each flag and its
// value.
func (o *findingsOptions) givenFlags(cmd *cobra.Command) (words []string) {
	eachSetFlag(cmd, append([]string{"without"}, filterFlags...), func(name string, value ...string) {
		words = append(append(words, "--"+name), value...)
	})
	return words
}

// findings reads a trace to its end and judges it, keeping only what the verdicts need.
func findings(cmd *cobra.Command, path string, o findingsOptions) (*report.Findings, error) {
	t, err := openTrace(cmd, path)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	src, judged := o.judgedPart(t)
	judged.Bare = true
	f, err := report.Judge(src, judged)
	if err == nil && explainEmptyPick(cmd, src) {
		return nil, &exitError{exitTrouble, fmt.Errorf("%s: nothing of it is picked, and nothing judged", t.name), "see 'dtrec replay' for what there is to pick"}
	}
	return f, err
}

// judgedPart returns the part of a trace that the filters pick, and the options to judge it with.
func (o *findingsOptions) judgedPart(t replay.Source) (replay.Source, report.Options) {
	judged := report.Options{Without: replay.RolesOf(o.without...)}
	filter := o.filter(t.Header())
	if filter.IsZero() {
		return t, judged
	}
	picker := replay.Pick(t, filter)
	judged.Only = picker.Picks
	return picker, judged
}

// writeHTML writes the HTML page, or as JSON the value that this page shows.
func writeHTML(cmd *cobra.Command, path string) error {
	t, err := openSeekable(cmd, path)
	if err != nil {
		return err
	}
	defer t.Close()
	first := true
	source := func() (replay.Source, error) {
		if first { // the first reading warns on stderr of what is wrong with the trace
			first = false
			return t, nil
		}
		t.Reader.Close()
		t.Reader = nil // the event that it decoded last is no longer needed
		var err error
		t.Reader, err = t.rewind()
		return t.Reader, err
	}
	if formatOf(cmd) == jsonFormat {
		return html.WriteJSON(cmd.OutOrStdout(), t.name, source)
	}
	return html.Write(cmd.OutOrStdout(), t.name, source)
}
