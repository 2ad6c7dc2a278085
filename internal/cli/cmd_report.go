// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

func newReportCmd() *cobra.Command {
	var o findingsOptions
	var explain []string
	format := markdownFormat
	cmd := &cobra.Command{
		Use:   "report FILE",
		Short: "Write the proof as a page",
		Long: `Writes what the kernel did with each path as a page of Markdown, made from the
events of the trace alone: every number cites its event, every claim has a
verdict. FILE may be - for stdin. With --without, as if those roles had not been
recorded: what can no longer be proven says what it lacks. With --explain hash the
page ends with every hash computed step by step, for a reader with a calculator.
The filters are those of replay: claims made with an event that is not picked are
neither shown nor counted, nor are those that only the end of the trace decides.

With --format html it is one file for a browser, which needs no network: a timeline of
calls, the lives of dentries, the tree of paths, claims with their proof, and the run to
step through. With --format json it is the value that this page shows.

Exit status: 0 written, 2 not readable.`,
		Example: `  dtrec report traces/run1.pb > stage2.md
  dtrec report --without insert traces/run1.pb
  dtrec report --explain hash traces/run1.pb
  dtrec report --format html -o run1.html traces/run1.pb`,
		Args: exactly(1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := readable(cmd); err != nil {
				return err
			}
			if err := format.check(cmd, markdownFormat, htmlFormat, jsonFormat); err != nil {
				return err
			}
			if format != markdownFormat {
				if len(explain)+len(o.without) > 0 {
					return usageError(cmd, errors.New("--without and --explain are for Markdown"))
				}
				return visible(cmd, args[0], o.run, format)
			}
			var page report.PageOptions
			for _, what := range explain {
				if what != "hash" {
					return usageError(cmd, fmt.Errorf("--explain %s: only hash can be explained", display(what)))
				}
				page.ExplainHash = true
			}
			f, err := findings(cmd, args[0], o)
			if err != nil {
				return err
			}
			return report.Markdown(cmd.OutOrStdout(), f, page)
		},
	}
	o.register(cmd)
	addFormatFlag(cmd, &format, markdownFormat, htmlFormat, jsonFormat)
	cmd.Flags().StringSliceVar(&explain, "explain", nil, "show `WHAT` step by step: hash")
	return cmd
}

// findingsOptions are the flags of the commands that judge a trace.
type findingsOptions struct {
	filterOptions
	run     int
	without []string
}

func (o *findingsOptions) register(cmd *cobra.Command) {
	addRunFlag(cmd, &o.run)
	cmd.Flags().StringSliceVar(&o.without, "without", nil, "judge as if these `ROLES` had not been recorded, e.g. insert,kill")
	o.filterOptions.register(cmd)
}

// findings reads a trace to its end and judges it.
func findings(cmd *cobra.Command, path string, o findingsOptions) (*report.Findings, error) {
	without, err := parseRoles("--without", o.without)
	if err != nil {
		return nil, err
	}
	t, err := openTrace(cmd, path, o.run)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	filter, err := o.filter(cmd)
	if err != nil {
		return nil, err
	}
	if err := o.window(cmd, filter, t.Header()); err != nil {
		return nil, err
	}
	judged := report.Options{Without: replay.RolesOf(without...)}
	if filter.IsZero() {
		return report.Judge(t, judged)
	}
	picker := replay.Pick(t, filter)
	judged.Only = picker.Picks
	return report.Judge(picker, judged)
}

// parseRoles finds roles by name; flag is where the names were given.
func parseRoles(flag string, names []string) ([]schema.Role, error) {
	var roles []schema.Role
	for _, name := range names {
		info, err := roleNamed(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		roles = append(roles, info.Role)
	}
	return roles, nil
}

func roleNamed(name string) (schema.RoleInfo, error) {
	var known []string
	for _, info := range schema.Catalogue() {
		if info.Name == name {
			return info, nil
		}
		known = append(known, info.Name)
	}
	return schema.RoleInfo{}, &exitError{code: exitTrouble, err: fmt.Errorf("no such role: %s", display(name)),
		hint: "the roles are " + strings.Join(known, ", ")}
}
