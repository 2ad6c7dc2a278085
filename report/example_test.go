// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"fmt"
	"os"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// Every claim a trace supports, with its verdict.
func ExampleJudge() {
	file, err := os.Open("../traces/run1.pb")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	r, err := schema.NewReader(file, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	moves := 0
	findings, err := report.Judge(r, report.Options{Each: func(c *report.Claim) {
		if c.Kind == report.Move && c.Verdict == report.Proven {
			moves++
		}
	}})
	fmt.Println(moves, findings.Tally.Total(report.Refuted), err)
	// Output: 4 0 <nil>
}

// Every claim about one path, with what it says.
func ExampleJudge_path() {
	file, err := os.Open("../traces/run1.pb")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	r, err := schema.NewReader(file, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	_, err = report.Judge(r, report.Options{Each: func(c *report.Claim) {
		if c.Subject == "/mnt/loopfs/none.txt" {
			fmt.Println(c.Verdict, c.Kind)
		}
	}})
	fmt.Println(err)
	// Output:
	// proven key
	// proven prefix
	// proven prefix
	// proven prefix
	// proven negative
	// proven absence
	// proven start
	// <nil>
}
