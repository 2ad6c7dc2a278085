// SPDX-License-Identifier: Apache-2.0

// Command dtrec-parquet writes the tables of many recordings as Parquet files, for DuckDB, Spark,
// ClickHouse and others. It is a module of its own to keep the dependencies of dtrec small.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

// exitTrouble is the exit status if something failed, as in dtrec.
const exitTrouble = 2

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintf(os.Stderr, "dtrec-parquet: %v\n", err)
		os.Exit(exitTrouble)
	}
}

func command() *cobra.Command {
	var d dataset
	cmd := &cobra.Command{
		Use:   "dtrec-parquet -o DIR [--host NAME] FILE…",
		Short: "Make Parquet tables of recordings",
		Long: `Writes each recording's calls, objects, tasks and verdicts into
DIR/TABLE/host=HOST/kernel=RELEASE/date=DATE/RUN.parquet, so that a directory holds a fleet
and one query asks all of it. Kernel addresses are left out: a dentry is its D number, which
with the column run is one dentry. A recording that is there already is written anew.
docs/fleet.md has the columns and queries.

Exit status: 0 written, 2 not all of it: each file that failed is named.`,
		Args:          cobra.MinimumNArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, files []string) error {
			failed := 0
			for _, file := range files {
				if err := d.add(file); err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "dtrec-parquet: %s: %v\n", file, bare(err))
					failed++
				}
			}
			if failed > 0 {
				return fmt.Errorf("%d of %d files not written", failed, len(files))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&d.dir, "output", "o", "", "write below `DIR`, which is made")
	f.StringVar(&d.host, "host", "unknown", "`NAME` of the machine that recorded: a recording does not say")
	if err := cmd.MarkFlagRequired("output"); err != nil {
		panic(err)
	}
	return cmd
}

// bare removes the path from an error whose message will name the file anyway.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	if errors.Is(err, schema.ErrNotTrace) {
		return schema.ErrNotTrace
	}
	return err
}
