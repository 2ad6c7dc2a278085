// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// What the program does not control is not a difference.
func TestNoise(t *testing.T) {
	for _, test := range []struct {
		name    string
		a, b    string
		excused string // the reason given; "": none
	}{
		{"other addresses, ids, times and order of kills", standard, standard, whyKills},
		{"a number of the run in a name", "p create usr/out_1795000001\np open usr/out_1795000001\np remove usr/out_1795000001",
			"p create usr/out_1795001077\np open usr/out_1795001077\np remove usr/out_1795001077", whyNumber},
		{"the process's own directory", "x open proc/PID/stat", "x open proc/PID/stat", whyNumber},
		{"another task's reclaim", standard, instead(t, standard, "sh create", "kswapd reclaim usr/src/none.h\n\tsh create"), ""},
		{"a dentry older than the recording", standard, instead(t, standard, "cat open usr/src/a.h", "init cached usr/src/a.h\ncat open usr/src/a.h"), whyOlder},
		{"a negative dentry older than the recording", standard, "init cached usr/src/none.h\n" + standard, whyOlder},
		{"a removed file older than the recording", "s onDisk usr/f\ns cached usr/f\ns remove usr/f", "s onDisk usr/f\ns remove usr/f", whyOlder},
		{"a walk that was disturbed", standard, instead(t, standard, "sh open usr/src/a.h", "sh disturb\nsh open usr/src/a.h"), whyAgain},
		{"threads in another order",
			"i onDisk usr/a\ni onDisk usr/b\ni open usr/a\ni open usr/b\np.1 open usr/a\np.2 open usr/b\np.1 open usr/a\np.2 open usr/b",
			"i onDisk usr/a\ni onDisk usr/b\ni open usr/a\ni open usr/b\np.2 open usr/b\np.2 open usr/b\np.1 open usr/a\np.1 open usr/a", whyOrder},
		{"threads in another order, and which of them finds the cache cold",
			"i onDisk usr/a\ni onDisk usr/b\np.1 open usr/a\np.2 open usr/b\np.1 open usr/b\np.2 open usr/a\np.1 open usr/c\np.2 open usr/a",
			"i onDisk usr/a\ni onDisk usr/b\np.2 open usr/b\np.2 open usr/a\np.1 open usr/a\np.2 open usr/a\np.1 open usr/b\np.1 open usr/c", "threads"},
		{"names in the order in which the filesystem lists them",
			"i onDisk usr/a\ni onDisk usr/b\ni onDisk usr/c\ni open usr/a\ni open usr/b\ni open usr/c\np open usr\np open usr/a\np open usr/b\np open usr/c",
			"i onDisk usr/a\ni onDisk usr/b\ni onDisk usr/c\ni open usr/a\ni open usr/b\ni open usr/c\np open usr\np open usr/b\np open usr/c\np open usr/a", whyListed},
		{"programs in another order", "i onDisk usr/a\ni open usr/a\np open usr/a\nq open usr/a", "i onDisk usr/a\ni open usr/a\nq open usr/a\np open usr/a", ""},
		{"what is closed for a process that ended", "p create usr/f\np exit", "p create usr/f\np exit\np reclaim usr/f", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := pids(test.a, here()), pids(test.b, there())
			r := compare(t, record(t, here(), 1, a), record(t, there(), 2, b))
			if r.Verdict() != Same || r.Same == 0 {
				t.Fatalf("not the same:\n%s", text(t, r))
			}
			if test.excused != whyKills { // the standard scene drops the caches
				r.Excused = slices.DeleteFunc(r.Excused, func(e Excuse) bool { return e.Why == whyKills })
			}
			switch {
			case test.excused == "threads":
				for _, e := range r.Excused {
					if e.Why != whyOrder && e.Why != whyFound {
						t.Errorf("excused: %+v", e)
					}
				}
			case test.excused == "" && len(r.Excused) > 0:
				t.Errorf("excused: %+v", r.Excused)
			case test.excused != "" && (len(r.Excused) != 1 || r.Excused[0].Why != test.excused):
				t.Errorf("excused: %+v, want %q", r.Excused, test.excused)
			}
		})
	}
}

// pids returns a scene with the process id of x in place of PID in its paths.
func pids(text string, m tracetest.Machine) []op {
	ops := scene(text)
	for i := range ops {
		ops[i].Path = strings.ReplaceAll(ops[i].Path, "PID", itoa(int(tracetest.PID("x")+m.PIDs)))
	}
	return ops
}

// A planted difference is found, and nothing else is reported.
func TestPlanted(t *testing.T) {
	for _, test := range []struct {
		name string
		a, b string
		kind Kind
		want []string // parts of the text, in this order
	}{
		{"another file", standard, instead(t, standard, "cat open usr/src/b.h", "cat open usr/src/c.h"), CallsOnly,
			[]string{`-open "/usr/src/b.h"`, `+open "/usr/src/c.h"`}},
		{"another missing file, long after the recording's start", standard, instead(t, standard, "open usr/src/a_name", "open usr/src/b_name"), CallsOnly,
			[]string{`-open "/usr/src/a_name`, `+open "/usr/src/b_name`}},
		{"a missing unlink", standard, without(standard, "sh remove"), CallsOnly, []string{"@@ sh, calls on one side only @@", `-unlink "usr/src/new.h"`}},
		{"one more unlink", without(standard, "sh remove"), standard, CallsOnly, []string{`+unlink "usr/src/new.h"`}},
		{"a changed order", standard, instead(t, standard, "sh open usr/src/new.h\n\tsh open usr/src/a.h", "sh open usr/src/a.h\n\tsh open usr/src/new.h"), Order,
			[]string{"@@ sh, open", "order", "-before", "+before"}},
		{"names in another order, of a directory that another program opened", "i onDisk usr/a\ni onDisk usr/b\ni onDisk usr/c\ni open usr/a\ni open usr/b\ni open usr/c\nq open usr\np open usr/a\np open usr/b\np open usr/c",
			"i onDisk usr/a\ni onDisk usr/b\ni onDisk usr/c\ni open usr/a\ni open usr/b\ni open usr/c\nq open usr\np open usr/b\np open usr/c\np open usr/a", Order, []string{`@@ p, open "/usr/a", order`}},
		{"names in another order, of a directory that the program opened later", "i onDisk usr/a\ni onDisk usr/b\ni onDisk usr/c\ni open usr/a\ni open usr/b\ni open usr/c\np open usr/a\np open usr/b\np open usr/c\np open usr",
			"i onDisk usr/a\ni onDisk usr/b\ni onDisk usr/c\ni open usr/a\ni open usr/b\ni open usr/c\np open usr/b\np open usr/c\np open usr/a\np open usr", Order, []string{`@@ p, open "/usr/a", order`}},
		{"a call moved far", standard, instead(t, without(standard, "cat open usr/src/b.h"), "cat open usr/src/a.h\n\ttail", "cat open usr/src/a.h\n\tcat open usr/src/b.h\n\ttail"),
			Order, []string{"@@ cat, open \"/usr/src/b.h\", order"}},
		{"one more open", standard, instead(t, standard, "sh open usr/src/a.h", "sh open usr/src/a.h\nsh open usr/src/a.h"), CallsOnly,
			[]string{`+open "/usr/src/a.h"`}},
		{"one open less", standard, without(standard, "sh open usr/src/a.h"), CallsOnly, []string{`-open "/usr/src/a.h"`}},
		{"no drop", standard, without(standard, "evict drop"), CallsOnly, []string{"-drop_caches"}},
		{"a program more", standard, standard + "\nextra open usr/src/a.h\nextra open usr/src/b.h", ProgramOnly, []string{"@@ extra, on one side only @@", "+2 calls"}},
		{"a program less", standard, without(standard, "tail "), ProgramOnly, []string{"@@ tail, on one side only @@", "-3 calls"}},
		{"another exit status", standard, standard + " 4444", Steps, []string{"-exit code 0", "+exit code 4"}},
		{"a file that is there", standard, "init onDisk usr/src/none.h\n" + standard, Steps, []string{"cat, open \"/usr/src/none.h\": ENOENT → success", "-open", "+open"}},
		{"digits that are not of the run", "p open usr/f17", "p open usr/f18", CallsOnly, []string{`-open "/usr/f17" → −2 (ENOENT)`, `+open "/usr/f18"`}},
		{"reclaimed on one side while in use", "i onDisk usr/f\np open usr/f\np open usr/f", "i onDisk usr/f\np open usr/f\nkswapd reclaim usr/f\np open usr/f", Steps,
			[]string{`-  lookup_rcu "f" path+5 in D2 → D3 positive`, `+  alloc "f"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := compare(t, record(t, here(), 3, scene(test.a)), record(t, there(), 4, scene(test.b)))
			out := text(t, r)
			if r.Count() != 1 || len(r.Differences) != 1 || r.Differences[0].Kind != test.kind {
				t.Fatalf("want one difference of kind %s:\n%s", test.kind, out)
			}
			rest := out
			for _, w := range test.want {
				i := strings.Index(rest, w)
				if i < 0 {
					t.Fatalf("%q is not there, or not in its place:\n%s", w, out)
				}
				rest = rest[i:]
			}
			if !strings.Contains(out, "#") {
				t.Errorf("no event ids:\n%s", out)
			}
		})
	}
}

// ofKernels returns the differences between the kernels, the two lines of each as one string.
func ofKernels(r *Result) (out []string) {
	for _, d := range r.Differences {
		if d.Kind == Symbols || d.Kind == Layout {
			out = append(out, d.Lines[0].Op+d.Lines[0].Text+"\n"+d.Lines[1].Op+d.Lines[1].Text)
		}
	}
	return out
}

// Differences between two kernels are reported as such, and once.
func TestKernels(t *testing.T) {
	b := there()
	b.Release, b.Inline, b.External = "7.3.0-test", 32, 16
	b.Symbols = map[schema.Role]string{schema.RoleOpen: "do_file_open", schema.RoleKill: "dentry_kill"}
	scenes := standard + "\ntail open usr/src/a_name_of_thirty_five_characters.h"
	r := compare(t, record(t, here(), 1, scene(scenes)), record(t, b, 2, scene(scenes)))
	out := text(t, r)
	if len(ofKernels(r)) != 4 || len(r.Differences) != 4 || r.Verdict() != Different {
		t.Fatalf("%s", out)
	}
	for _, want := range []string{"@@ kernel, symbols @@\n-open: do_filp_open\n+open: do_file_open\n", "-kill: __dentry_kill\n+kill: dentry_kill\n",
		"@@ kernel, layout @@\n-size of the inline name: 40\n+size of the inline name: 32\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// On another kernel a second lookup in the cache is a difference, and it is reported once for several
// calls.
func TestSameStepInManyCalls(t *testing.T) {
	b := there()
	b.Release = "7.3.0-test"
	disturbed := strings.ReplaceAll(standard, "cat open", "cat disturb\n\tcat open")
	r := compare(t, record(t, here(), 1, scene(standard)), record(t, b, 2, scene(disturbed)))
	out := text(t, r)
	if len(r.Differences) == 0 || len(r.Differences) > 2 {
		t.Fatalf("want one or two differences:\n%s", out)
	}
	if d := r.Differences[0]; d.Kind != Steps || len(d.Also) == 0 {
		t.Errorf("not told together:\n%s", out)
	}
}

// A role that only one run recorded is reported once and otherwise left out.
func TestProbeMissing(t *testing.T) {
	ops := scene(standard)
	a := record(t, here(), 1, ops)
	for _, role := range []schema.Role{schema.RoleInsert, schema.RoleKill, schema.RoleLookupChain, schema.RoleAlloc, schema.RoleUnlink} {
		h := there().Header()
		for _, p := range h.Probe {
			if p.Role == role {
				p.Attached, p.Error = false, "not tried"
			}
		}
		b := rewritten(t, record(t, there(), 2, ops), h, func(e *schema.Event) bool { return e.Role != role })
		r := compare(t, a, b)
		if k := ofKernels(r); len(k) != 1 || len(r.Differences) != 1 || !strings.HasPrefix(k[0], "-"+role.Label()+": ") ||
			!strings.Contains(k[0], "\n+"+role.Label()+": not recorded (") {
			t.Errorf("%s:\n%s", role.Label(), text(t, r))
		}
	}
}
