// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is a table that is printed as Markdown.
type table struct {
	title string
	head  []string
	rows  [][]string
	notes []string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

func (t *table) print(w io.Writer) {
	width := make([]int, len(t.head))
	all := append([][]string{t.head}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	fmt.Fprintf(w, "\n### %s\n\n", t.title)
	for n, row := range all {
		for i, cell := range row {
			if i == 0 {
				fmt.Fprintf(w, "| %-*s |", width[i], cell)
			} else {
				fmt.Fprintf(w, " %*s |", width[i], cell)
			}
		}
		fmt.Fprintln(w)
		if n > 0 {
			continue
		}
		fmt.Fprintf(w, "|%s|", strings.Repeat("-", width[0]+2))
		for _, columns := range width[1:] {
			fmt.Fprintf(w, "%s:|", strings.Repeat("-", columns+1))
		}
		fmt.Fprintln(w)
	}
	for _, note := range t.notes {
		fmt.Fprintf(w, "\n%s\n", note)
	}
}

// bar is a limit that dtrec must meet: the value is at most, or if least is set at least, the limit.
type bar struct {
	what         string
	value, limit float64
	byDefault    string // for recording: the value for dtrec with all its roles, where value is for the roles that the other tools record
	isLowerBound bool
}

func (b bar) isMet() bool {
	if b.isLowerBound {
		return b.value >= b.limit
	}
	return b.value <= b.limit
}

func barTable(bars []bar) *table {
	t := &table{title: "The bars of dtrec", head: []string{"bar", "measured", "all roles", "limit", ""}}
	for _, b := range bars {
		verdict, sign := "**missed**", "≤ "
		if b.isMet() {
			verdict = "held"
		}
		if b.isLowerBound {
			sign = "≥ "
		}
		t.add(b.what, figure(b.value), b.byDefault, sign+figure(b.limit), verdict)
	}
	return t
}

// figure formats a number with three significant digits and separated thousands.
func figure(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return thousands(int64(v + 0.5))
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
