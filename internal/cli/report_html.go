// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"io"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/html"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

const htmlFormat outputFormat = "html"

// visible writes the page for a browser, or the value that it shows as JSON.
func visible(cmd *cobra.Command, path string, run int, format outputFormat) error {
	t, err := openSeekable(cmd, path, run)
	if err != nil {
		return err
	}
	defer t.Close()
	var open []*schema.Reader
	defer func() {
		for _, r := range open {
			r.Close()
		}
	}()
	first := true
	source := func() (replay.Source, error) {
		if first { // this one says on stderr what is wrong with the trace
			first = false
			return t, nil
		}
		if _, err := t.file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		r, err := schema.NewReader(bufio.NewReaderSize(t.file, 64<<10), run)
		if err == nil {
			open = append(open, r)
		}
		return r, err
	}
	if format == jsonFormat {
		return html.WriteJSON(cmd.OutOrStdout(), t.name, source)
	}
	return html.Write(cmd.OutOrStdout(), t.name, source)
}
