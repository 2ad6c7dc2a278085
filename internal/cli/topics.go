// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/docs"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

// topics returns the pages of 'dtrec help TOPIC' that are not about a command.
func topics() []*cobra.Command {
	pages := []*cobra.Command{
		{Use: "answers", Short: "What the answers count, what stands out by which rule, and what is not recorded", Long: docs.Page("answers")},
		{Use: "claims", Short: "What is claimed, and every reason why a claim is not proven", Long: docs.Page("claims")},
		{Use: "format", Short: "The trace file", Long: schema.Format()},
		{Use: "kernels", Short: "What each role is, from kernel to kernel", Long: docs.Page("kernels")},
		{Use: "peers", Short: "How to report on what perf or trace-cmd recorded", Long: docs.Page("peers")},
		{Use: "questions", Short: "Questions that people asked, and the command that answers each", Long: docs.Page("questions")},
	}
	var list strings.Builder
	for _, p := range pages {
		fmt.Fprintf(&list, "%-9s  %s\n", p.Name(), p.Short)
	}
	return append(pages, &cobra.Command{Use: "topics", Short: "These pages", Long: list.String()})
}
