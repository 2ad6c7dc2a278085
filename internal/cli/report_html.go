// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/html"
	"github.com/spf13/cobra"
)

// visible writes the page for a browser, or the value that it shows as JSON.
func visible(cmd *cobra.Command, path string, run int, format outputFormat) error {
	t, err := openSeekable(cmd, path, run)
	if err != nil {
		return err
	}
	defer t.Close()
	first := true
	source := func() (replay.Source, error) {
		if first { // this one says on stderr what is wrong with the trace
			first = false
			return t, nil
		}
		t.Reader.Close()
		t.Reader = nil // what it decoded last is not wanted any more
		var err error
		t.Reader, err = t.rewound(run)
		return t.Reader, err
	}
	if format == jsonFormat {
		return html.WriteJSON(cmd.OutOrStdout(), t.name, source)
	}
	return html.Write(cmd.OutOrStdout(), t.name, source)
}
