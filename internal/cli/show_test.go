// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema/tracetest"
)

// TestShowTakesWhatIsPrinted checks that show accepts every name, path, dentry, event and process that
// top and show print for the traces in the tree.
func TestShowTakesWhatIsPrinted(t *testing.T) {
	traces := append(samples(t)[:1], tracetest.FileNames(t, "test/cases/*.pb", "internal/cli/testdata/hostile/*.pb")...)
	words := regexp.MustCompile(`\bD\d+\b|#\d+\b`)
	shown := 0
	for _, trace := range traces {
		asked := map[string]bool{}
		ask := func(word string) string {
			if word == "" || asked[word] || len(asked) > 60 {
				return ""
			}
			asked[word] = true
			shown++
			var out, errs strings.Builder
			if code := Run([]string{"show", trace, "--", word}, nil, &out, &errs); code != 0 {
				t.Errorf("dtrec show %s %q: exit %d, %s", trace, word, code, errs.String())
			}
			checkPlainText(t, "show "+word, out.String()+errs.String())
			return out.String()
		}
		for _, args := range [][]string{{"calls", "path"}, {"misses", "name"}, {"negatives", "path"}, {"misses", "path"}, {"calls", "task"}} {
			var top struct{ Rows []struct{ Key string } }
			if err := json.Unmarshal([]byte(output(t, "top", "--format", "json", "-n", "8", "--of", args[0], "--by", args[1], trace)), &top); err != nil {
				t.Fatal(err)
			}
			for _, r := range top.Rows {
				word := r.Key
				if args[1] == "task" {
					word, _, _ = strings.Cut(word, " ")
				}
				for _, w := range words.FindAllString(ask(word), 6) {
					ask(w)
				}
			}
		}
	}
	if shown < 200 {
		t.Errorf("only %d things were shown", shown)
	}
}

// TestShowKnowsEveryDentry checks that show prints the first and the last event of every object in
// replay.
func TestShowKnowsEveryDentry(t *testing.T) {
	trace := "test/cases/croot.pb"
	first, last := map[string]string{}, map[string]string{}
	for d := json.NewDecoder(strings.NewReader(output(t, "replay", "--format", "json", trace))); ; {
		var e struct {
			ID          uint64
			Role, Phase string
			Object      string
		}
		if err := d.Decode(&e); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if e.Object != "" && e.Role != "free" {
			if first[e.Object] == "" {
				first[e.Object] = fmt.Sprint("#", e.ID)
			}
			last[e.Object] = fmt.Sprint("#", e.ID)
		}
	}
	if len(first) < 5 {
		t.Fatalf("%s has %d dentries", trace, len(first))
	}
	for seq := range first {
		text := output(t, "show", trace, seq)
		for _, id := range []string{first[seq], last[seq]} {
			if !regexp.MustCompile(id + `\b`).MatchString(text) {
				t.Errorf("%s: %s is not in\n%s", seq, id, text)
			}
		}
	}
}

// TestShowOfAnEventHasItsCall checks that show prints the path call of an event, including for the
// call's own return.
func TestShowOfAnEventHasItsCall(t *testing.T) {
	for _, id := range []string{"#46", "#50", "#55"} { // an open's entry, a lookup in it, its exit
		if text := output(t, "show", "traces/run1.pb", id); !strings.Contains(text, "\nits path call, ") || !strings.Contains(text, "  open /tmp/t_e.txt by te_miss/177") {
			t.Errorf("%s is not shown with the open that it is of:\n%s", id, text)
		}
	}
}
