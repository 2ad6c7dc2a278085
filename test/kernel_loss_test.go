// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/cli"

	"github.com/dtrec/dtrec/report"
)

// lossRun is the scene's report of one recording that lost events.
type lossRun struct {
	Said   string
	Counts struct {
		Calls, Returns map[string]uint64
		Missed         uint64
	}
}

// TestKernelLoss checks that losses are counted: for each role in which a hit is an event, what is
// written and what is lost add up to what another program counted.
func TestKernelLoss(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		result := make(map[string]lossRun)
		dir := sceneReport(t, release, "loss", &result)
		for _, name := range []string{"flood", "kprobe"} {
			t.Run(name, func(t *testing.T) { checkFlood(t, filepath.Join(dir, name+".pb"), result[name]) })
		}
		t.Run("missed", func(t *testing.T) {
			checkMissed(t, release, filepath.Join(dir, "missed.pb"), result["missed"])
		})
	})
}

// TestKernelRebuilt checks that calls in progress while another recorder attaches to their function, or
// detaches, are reported as not seen to return, and that nothing false is said about the walks around
// them.
func TestKernelRebuilt(t *testing.T) {
	onOuterKernels(t, func(t *testing.T, release string) {
		var result struct{ Opens uint64 }
		dir := sceneReport(t, release, "rebuilt", &result)
		trace := filepath.Join(dir, "rebuilt.pb")
		s, v := sumRecords(t, trace, "flood"), verdicts(t, trace)
		opens, exits := s.enter["open"], s.exit["open"]
		t.Logf("%d opens, %d returned; %d times rebuilt; %d proven, %d unproven", opens, exits, s.rebuilt, v.Proven, v.Unproven)
		missed := s.missed["open"] // if it preempts, a map changed by the other recorder can keep kprobe.multi from running
		if result.Opens-opens > missed || exits > opens+missed || opens > exits+missed+s.rebuilt {
			t.Errorf("%d opens of %d, %d returned, %d missed, rebuilt %d times", opens, result.Opens, exits, missed, s.rebuilt)
		}
		if (s.rebuilt > 0) != s.fexit || v.Lost != s.rebuilt+s.lost() || v.Refuted > 0 || !v.Complete {
			t.Errorf("fexit %v, rebuilt %d times, %d lost; refuted %d, complete %v", s.fexit, s.rebuilt, v.Lost, v.Refuted, v.Complete)
		}
		got := claimsOf(v, "flood")
		if len(got["restart"]) > 0 || got["equality"]["proven"] == 0 || missed == 0 && got["equality"]["proven"]+got["equality"]["unproven"] != exits {
			t.Errorf("restart %v, equality %v", got["restart"], got["equality"])
		}
		for _, d := range v.Doubts {
			if strings.Contains(d.Reason, lateLossWords) {
				t.Errorf("a loss was recorded too late: %v", d)
			}
		}
		if text := output(t, "summary", trace); strings.Contains(text, "started over") || strings.Contains(text, "/shm/dev") {
			t.Errorf("summary: %s", text)
		}
	})
}

// sums holds the counts of a trace by role.
type sums struct {
	rebuilt                     uint64
	fexit                       bool              // a return was recorded by fexit
	enter, exit, noRoom, missed map[string]uint64 // a call that is one event counts in both enter and exit
	whole                       map[string]bool   // roles whose calls are one event
	uncounted                   map[string]bool   // the header says that misses of this role are not counted
	windows                     int
}

// lost returns the sum of all loss records.
func (s *sums) lost() (n uint64) {
	for _, by := range []map[string]uint64{s.noRoom, s.missed} {
		for _, count := range by {
			n += count
		}
	}
	return n
}

// sumRecords counts the records of a trace; of the events only those of tasks named comm.
func sumRecords(t *testing.T, trace, comm string) sums {
	t.Helper()
	s := sums{enter: map[string]uint64{}, exit: map[string]uint64{}, noRoom: map[string]uint64{}, missed: map[string]uint64{}, whole: map[string]bool{}, uncounted: map[string]bool{}}
	for _, e := range lifeEvents(t, trace) {
		for _, p := range e.Probe {
			s.whole[p.Role] = s.whole[p.Role] || p.Phase == "call"
			s.fexit = s.fexit || p.Attached && p.Attach == "fexit"
			if p.Uncounted {
				s.uncounted[p.Role] = true
				t.Logf("what %s %s missed is not counted here, as the header says", p.Role, p.Phase)
			}
		}
		switch {
		case e.Type == "loss":
			s.windows++
			switch e.Cause {
			case "ring_buffer":
				s.noRoom[e.Role] += e.Count
			case "missed":
				s.missed[e.Role] += e.Count
			case "rebuilt":
				s.rebuilt += e.Count
			default:
				t.Errorf("%d lost: %s", e.Count, e.Cause)
			}
		case e.Type == "event" && e.Comm == comm && e.Phase == "enter":
			s.enter[e.Role]++
		case e.Type == "event" && e.Comm == comm:
			s.exit[e.Role]++
		}
	}
	return s
}

// hits returns how many entries and exits a number of events of a role stands for.
func (s *sums) hits(role string, events uint64) uint64 {
	if s.whole[role] {
		return 2 * events
	}
	return events
}

// compareCounts compares what was written and lost with what was counted. Hits missed by a program, dtrec's or
// the counter's, may be of any task, so they leave a margin.
func compareCounts(t *testing.T, role string, s sums, run lossRun) {
	t.Helper()
	counted := run.Counts.Calls[role] + run.Counts.Returns[role]
	noRoom, missed := s.hits(role, s.noRoom[role]), s.hits(role, s.missed[role])
	have := s.enter[role] + s.exit[role] + noRoom
	t.Logf("%s: %d written + %d no room = %d, %d counted; missed %d, by the counter %d", role,
		s.enter[role]+s.exit[role], noRoom, have, counted, missed, run.Counts.Missed)
	if have > counted+run.Counts.Missed || have+missed < counted && !s.uncounted[role] {
		t.Errorf("%s: %d written or without room, %d missed, and %d happened", role, have, missed, counted)
	}
}

func checkFlood(t *testing.T, trace string, run lossRun) {
	s := sumRecords(t, trace, "flood")
	for _, role := range []string{"open", "lookup", "lookup_chain", "lookup_rcu", "alloc"} {
		if run.Counts.Calls[role] < 5000 {
			t.Errorf("only %d calls of %s: no flood", run.Counts.Calls[role], role)
		}
		compareCounts(t, role, s, run)
	}
	// What was done is known, too: each missing name was one open and one alloc.
	const opens = 4*1500 + 2*12
	for _, role := range []string{"open", "alloc"} {
		missed := s.hits(role, s.missed[role])
		if have := s.enter[role] + s.exit[role] + s.hits(role, s.noRoom[role]); have > 2*opens || have+missed < 2*opens && !s.uncounted[role] {
			t.Errorf("%s: %d written or without room, %d missed, of %d", role, have, missed, 2*opens)
		}
	}
	lost := s.lost()
	v := verdicts(t, trace)
	if v.Lost != lost || s.rebuilt > 0 || lost == 0 || s.windows == 0 || !v.Complete {
		t.Errorf("check says %d lost, the loss records %d in %d windows; complete %v", v.Lost, lost, s.windows, v.Complete)
	}
	checkTouched(t, v, s)
	checkSaid(t, trace, run.Said, lost)
}

// checkTouched checks that claims in the loss windows are unproven, and that claims outside are proven.
func checkTouched(t *testing.T, v report.Verdicts, s sums) {
	t.Helper()
	got := claimsOf(v, "flood")
	t.Logf("%d events, %d lost in %d windows: %d proven, %d unproven; negative %v", v.Events, v.Lost, s.windows, v.Proven, v.Unproven, got["negative"])
	if v.Refuted > 0 || got["hash"]["proven"] == 0 || got["hash"]["unproven"] > 0 {
		t.Errorf("%d refuted, hash %v", v.Refuted, got["hash"])
	}
	if got["negative"]["proven"] < 12 || got["negative"]["unproven"] == 0 {
		t.Errorf("negative: %v", got["negative"])
	}
	reasons := make(map[string]uint64)
	for _, d := range v.Doubts {
		// The time of missed hits is known only to within a poll interval, which may reach back.
		if strings.Contains(strings.Join(d.Subjects, " "), "-quiet") && !strings.Contains(d.Reason, "hits missed") {
			t.Errorf("%s %s of %q, which came before all loss: %s", d.Verdict, d.Kind, d.Subjects, d.Reason)
		}
		if strings.Contains(d.Reason, lateLossWords) {
			t.Errorf("a loss was recorded too late: %v", d)
		}
		reasons[d.Reason[:min(len(d.Reason), 11)]] += uint64(d.Count)
	}
	if reasons["events lost"] == 0 {
		t.Errorf("reasons: %v", reasons)
	}
}

const lateLossWords = "only after later events"

// checkSaid checks that every output says how much was lost.
func checkSaid(t *testing.T, trace, said string, lost uint64) {
	t.Helper()
	plain := fmt.Sprintf("%d lost", lost)
	if want := withCommas(lost) + " lost"; !strings.Contains(said, want) {
		t.Errorf("the recorder does not say %q: %s", want, said)
	}
	for _, out := range []struct{ args, want string }{
		{"check", plain},
		{"report", plain},
		{"report", "- missing: "},
		{"info", fmt.Sprintf("lost         %d", lost)},
		{"info --format json", fmt.Sprintf(`"lost":%d`, lost)},
		{"replay", "events lost: ring_buffer"},
		{"replay --format dmesg", "events lost: ring_buffer"},
		{"replay --format json", fmt.Sprintf(`"lost":%d`, lost)},
	} {
		got := output(t, append(strings.Fields(out.args), trace)...)
		if !strings.Contains(strings.ReplaceAll(got, `": `, `":`), out.want) {
			t.Errorf("%s does not say %q", out.args, out.want)
		}
	}
	var stdout, stderr strings.Builder
	code := cli.Run([]string{"diff", trace, trace}, strings.NewReader(""), &stdout, &stderr)
	if want := fmt.Sprintf("lost %d events", lost); code != 2 || !strings.Contains(stderr.String(), want) {
		t.Errorf("diff: exit %d, it does not say %q: %s", code, want, stderr.String())
	}
}

// withCommas writes a number as the recorder's summary does.
func withCommas(n uint64) string {
	digits := []byte(fmt.Sprint(n))
	slices.Reverse(digits)
	var out []byte
	for i, d := range digits {
		if i > 0 && i%3 == 0 {
			out = append(out, ',')
		}
		out = append(out, d)
	}
	slices.Reverse(out)
	return string(out)
}

// checkMissed checks a recording with 1,100 tasks inside open at once. If kprobe.multi hooks returns by
// rethook, as up to 6.13, it has room for only a few, and a kretprobe of 6.1 for 1,024. The exits that
// they missed are counted.
func checkMissed(t *testing.T, release, trace string, run lossRun) {
	s := sumRecords(t, trace, "flood")
	opens, most := run.Counts.Calls["open"], run.Counts.Calls["open"]+run.Counts.Missed // the counter misses some itself if preempted
	if most < 1100 {
		t.Fatalf("%d opens, and %d hits the counter missed", opens, run.Counts.Missed)
	}
	compareCounts(t, "open", s, run)
	if s.enter["open"] < opens || s.enter["open"] > most {
		t.Errorf("%d entries of %d to %d", s.enter["open"], opens, most)
	}
	if v := verdicts(t, trace); v.Refuted > 0 || v.Lost != s.lost() {
		t.Errorf("check says %d refuted, %d lost; the loss records %d", v.Refuted, v.Lost, s.lost())
	}
	if !strings.HasPrefix(release, "7.") && !s.uncounted["open"] && (s.missed["open"] == 0 || s.exit["open"] == 0) {
		t.Errorf("%d exits recorded, %d missed", s.exit["open"], s.missed["open"])
	}
}
