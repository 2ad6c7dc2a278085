// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func columns(set ...schema.Column) (c schema.Columns) {
	for _, one := range set {
		c = c.With(one)
	}
	return c
}

var (
	key    = columns(schema.ColumnKey)
	addr   = columns(schema.ColumnNameAddr)
	both   = key | addr
	isNull = columns(schema.ColumnDentry)
	sym    = columns(schema.ColumnSymbol)
)

func read(t *testing.T, log string) *Log {
	t.Helper()
	l, err := Read(strings.NewReader(log), nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// one reads a log of one line and returns its events without their times.
func one(t *testing.T, line string) []schema.Event {
	t.Helper()
	l := read(t, line+"\n")
	if len(l.Runs) == 0 {
		return nil
	}
	for i := range l.Runs[0].Events {
		l.Runs[0].Events[i].Time = 0
	}
	return l.Runs[0].Events
}

const (
	a           = 0xffff8976c6763020
	open, alloc = "do_filp_open", "__d_alloc"
)

var long = strings.Repeat("n", 54) + "1770466275"

// formCases maps lines of logs to the events they say.
var formCases = map[string]schema.Event{
	"[O] IN: 0xffff8976c6763020 | /tmp/a b | c":                                            {Role: schema.RoleOpen, Phase: schema.Enter, Columns: both, Symbol: open, NameAddr: a, Name: "/tmp/a b | c", NameLen: 12},
	"[O] OUT: 0xffff8976c6763020 | x":                                                      {Role: schema.RoleOpen, Phase: schema.Exit, Columns: both, Symbol: open, NameAddr: a, Name: "x", NameLen: 1},
	"[O] IN: 0xffff8976c6763020":                                                           {Role: schema.RoleOpen, Phase: schema.Enter, Columns: addr, Symbol: open, NameAddr: a},
	"[O] IN: 0x00000000c6763020 | x":                                                       {Role: schema.RoleOpen, Phase: schema.Enter, Columns: key, Symbol: open, Name: "x", NameLen: 1},
	"[O] IN: (____ptrval____) | x":                                                         {Role: schema.RoleOpen, Phase: schema.Enter, Columns: key, Symbol: open, Name: "x", NameLen: 1},
	"[O] OUT: 0xfffffffffffffffe":                                                          {Role: schema.RoleOpen, Phase: schema.Exit, Columns: columns(schema.ColumnRet), Symbol: open, Ret: ^uint64(1)},
	"[O] OUT: 0xfffffffffffff001 | x":                                                      {Role: schema.RoleOpen, Phase: schema.Exit, Columns: key | columns(schema.ColumnRet), Symbol: open, Ret: ^uint64(4094), Name: "x", NameLen: 1},
	"[O] OUT: 0xfffffffffffff000":                                                          {Role: schema.RoleOpen, Phase: schema.Exit, Columns: addr, Symbol: open, NameAddr: ^uint64(4095)},
	"[trace_open] Result Addr: 0xfffffffffffffffe":                                         {Role: schema.RoleOpen, Phase: schema.Exit, Columns: columns(schema.ColumnRet), Symbol: open, Ret: ^uint64(1)},
	"[O] IN: 0xfffffffffffffffe | /x":                                                      {Role: schema.RoleOpen, Phase: schema.Enter, Columns: key, Symbol: open, Name: "/x", NameLen: 2},
	"d_lookup return: 0xfffffffffffffffe":                                                  {Role: schema.RoleLookup, Phase: schema.Exit, Symbol: "d_lookup"},
	"[A] SRC: 0xffff8976c6763020":                                                          {Role: schema.RoleAlloc, Phase: schema.Enter, Columns: addr, Symbol: alloc, NameAddr: a},
	"[A] DST: 0xffff8976c6763020":                                                          {Role: schema.RoleAlloc, Phase: schema.Exit, Columns: addr, Symbol: alloc, NameAddr: a},
	"[A] DST: 0000000000000000":                                                            {Role: schema.RoleAlloc, Phase: schema.Exit, Columns: addr, Symbol: alloc},
	"d_lookup entry: hash 736449114 length 3 name tmp":                                     {Role: schema.RoleLookup, Phase: schema.Enter, Columns: key, Symbol: "d_lookup", Hash: 736449114, Name: "tmp", NameLen: 3},
	"__d_lookup entry: hash 0x0c0d6fc1 length 3 name mnt/loopfs/a.txt":                     {Role: schema.RoleLookupChain, Phase: schema.Enter, Columns: key, Symbol: "__d_lookup", Hash: 0x0c0d6fc1, Name: "mnt", NameLen: 3},
	"__d_lookup_rcu entry from walk: hash 4294967295 length 4 name a | b/c":                {Role: schema.RoleLookupRCU, Phase: schema.Enter, Columns: key, Symbol: "__d_lookup_rcu", Hash: 4294967295, Name: "a | ", NameLen: 4},
	"d_lookup entry: hash 0010 length 300 name cut":                                        {Role: schema.RoleLookup, Phase: schema.Enter, Columns: key, Symbol: "d_lookup", Hash: 10, Name: "cut", NameLen: 300},
	"d_lookup return: NULL":                                                                {Role: schema.RoleLookup, Phase: schema.Exit, Columns: isNull, Symbol: "d_lookup"},
	"__d_lookup_rcu return: 0xffff8976c6763020 | " + long:                                  {Role: schema.RoleLookupRCU, Phase: schema.Exit, Columns: both, Symbol: "__d_lookup_rcu", NameAddr: a, Name: long, NameLen: 64},
	"__d_add entry: 0xffff8976c6763020 | x":                                                {Role: schema.RoleInsert, Phase: schema.Enter, Columns: both | sym, Symbol: "__d_add", NameAddr: a, Name: "x", NameLen: 1},
	"d_add entry: 0xffff8976c6763020 | x":                                                  {Role: schema.RoleInsert, Phase: schema.Enter, Columns: both | sym, Symbol: "d_add", NameAddr: a, Name: "x", NameLen: 1},
	"d_rehash entry: 0xffff8976c6763020 | x":                                               {Role: schema.RoleInsert, Phase: schema.Enter, Columns: both | sym, Symbol: "d_rehash", NameAddr: a, Name: "x", NameLen: 1},
	"d_add_ci entry: 0xffff8976c6763020 | x":                                               {Role: schema.RoleCall, Phase: schema.Enter, Columns: both | sym, Symbol: "d_add_ci", NameAddr: a, Name: "x", NameLen: 1},
	"dput entry: 0xffff8976c6763020 | x":                                                   {Role: schema.RoleCall, Phase: schema.Enter, Columns: both | sym, Symbol: "dput", NameAddr: a, Name: "x", NameLen: 1},
	"d_drop entry: 0xffff8976c6763020 | x":                                                 {Role: schema.RoleDrop, Phase: schema.Enter, Columns: both | sym, Symbol: "d_drop", NameAddr: a, Name: "x", NameLen: 1},
	"d_delete entry: 0xffff8976c6763020 | x":                                               {Role: schema.RoleDelete, Phase: schema.Enter, Columns: both, Symbol: "d_delete", NameAddr: a, Name: "x", NameLen: 1},
	"__dentry_kill entry: 0xffff8976c6763020 | x":                                          {Role: schema.RoleKill, Phase: schema.Enter, Columns: both, Symbol: "__dentry_kill", NameAddr: a, Name: "x", NameLen: 1},
	"full_name_hash return: 7 length 1 salt 0xffff8976c6763020 name xy":                    {Role: schema.RoleHash, Phase: schema.Exit, Columns: key, Symbol: "full_name_hash", Hash: 7, Parent: a, Name: "x", NameLen: 1},
	"full_name_hash return: 7 length 1 salt 0x00000000c6763020 name x":                     {Role: schema.RoleHash, Phase: schema.Exit, Columns: key, Symbol: "full_name_hash", Hash: 7, Name: "x", NameLen: 1},
	"my (prog) (42): drop_caches: 3":                                                       {Role: schema.RoleEvict, Phase: schema.Exit, Symbol: "drop_caches", Comm: "my (prog)", TID: 42},
	"[L] HIT: 0xffff8976c6763020 | x":                                                      {Role: schema.RoleCall, Phase: schema.Exit, Columns: both | sym, Symbol: "[L] HIT", NameAddr: a, Name: "x", NameLen: 1},
	"[trace_lookup] Cache Hit: 0xffff8976c6763020 | Val: x":                                {Role: schema.RoleCall, Phase: schema.Exit, Columns: both | sym, Symbol: "[trace_lookup] Cache Hit", NameAddr: a, Name: "x", NameLen: 1},
	"[trace_open] Input Addr: 0xffff8976c6763020 | Val: /x":                                {Role: schema.RoleOpen, Phase: schema.Enter, Columns: both, Symbol: open, NameAddr: a, Name: "/x", NameLen: 2},
	"[trace_open] Result Addr: 0xffff8976c6763020":                                         {Role: schema.RoleOpen, Phase: schema.Exit, Columns: addr, Symbol: open, NameAddr: a},
	"[trace_open] Input: struct filename @ 0xffff89000 | name @ 0xffff8976c676":            {},
	"[trace_open] Input: struct filename @ 0xffff897600000000 | name @ 0xffff8976c6763020": {Role: schema.RoleOpen, Phase: schema.Enter, Columns: addr, Symbol: open, NameAddr: a},
	"[trace_open] Result Name Ptr: 0xffff8976c6763020":                                     {Role: schema.RoleOpen, Phase: schema.Exit, Columns: addr, Symbol: open, NameAddr: a},
	"[trace_alloc] Copy Source:  0xffff8976c6763020":                                       {Role: schema.RoleAlloc, Phase: schema.Enter, Columns: addr, Symbol: alloc, NameAddr: a},
	"[trace_alloc] Copy Dest:    0xffff8976c6763020":                                       {Role: schema.RoleAlloc, Phase: schema.Exit, Columns: addr, Symbol: alloc, NameAddr: a},

	// The wording of reports.
	"- do_filp_open entry pointer = 0xffff8976c6763020 | /x":                                 {Role: schema.RoleOpen, Phase: schema.Enter, Columns: both, Symbol: open, NameAddr: a, Name: "/x", NameLen: 2},
	"do_filp_open return pointer = 0xffff8976c6763020 | x":                                   {Role: schema.RoleOpen, Phase: schema.Exit, Columns: both, Symbol: open, NameAddr: a, Name: "x", NameLen: 1},
	"- second open entry pointer = 0xffff8976c6763020 | /x":                                  {Role: schema.RoleOpen, Phase: schema.Enter, Columns: both, Symbol: open, NameAddr: a, Name: "/x", NameLen: 2},
	"- copy source pointer (loopfs/a.txt) = 0xffff8976c6763020":                              {Role: schema.RoleAlloc, Phase: schema.Enter, Columns: addr, Symbol: alloc, NameAddr: a},
	"__d_alloc entry pointer = 0xffff8976c6763020":                                           {Role: schema.RoleAlloc, Phase: schema.Enter, Columns: addr, Symbol: alloc, NameAddr: a},
	"- __d_alloc return pointer (a.txt) = 0xffff8976c6763020":                                {Role: schema.RoleAlloc, Phase: schema.Exit, Columns: addr, Symbol: alloc, NameAddr: a},
	"- copy destination pointer = 0xffff8976c6763020":                                        {Role: schema.RoleAlloc, Phase: schema.Exit, Columns: addr, Symbol: alloc, NameAddr: a},
	"__d_add entry pointer = 0xffff8976c6763020 | x":                                         {Role: schema.RoleInsert, Phase: schema.Enter, Columns: both | sym, Symbol: "__d_add", NameAddr: a, Name: "x", NameLen: 1},
	"- __d_lookup_rcu return (second open): 0xffff8976c6763020 | x":                          {Role: schema.RoleLookupRCU, Phase: schema.Exit, Columns: both, Symbol: "__d_lookup_rcu", NameAddr: a, Name: "x", NameLen: 1},
	"- first open (from creat): __d_lookup_rcu return 0xffff8976c6763020 | x":                {Role: schema.RoleLookupRCU, Phase: schema.Exit, Columns: both, Symbol: "__d_lookup_rcu", NameAddr: a, Name: "x", NameLen: 1},
	"- prefix lookup: __d_lookup_rcu entry hash 769772012 length 3 name tmp/x":               {Role: schema.RoleLookupRCU, Phase: schema.Enter, Columns: key, Symbol: "__d_lookup_rcu", Hash: 769772012, Name: "tmp", NameLen: 3},
	"- l e.txt hit: __d_lookup_rcu return = 0xffff8976c6763020":                              {Role: schema.RoleLookupRCU, Phase: schema.Exit, Columns: both, Symbol: "__d_lookup_rcu", NameAddr: a, Name: "l e.txt", NameLen: 7},
	"- x evict: __dentry_kill entry = 0xffff8976c6763020":                                    {Role: schema.RoleKill, Phase: schema.Enter, Columns: both, Symbol: "__dentry_kill", NameAddr: a, Name: "x", NameLen: 1},
	"12:- do_filp_open entry pointer = 0xffff8976c6763020 | /x":                              {Role: schema.RoleOpen, Phase: schema.Enter, Columns: both, Symbol: open, NameAddr: a, Name: "/x", NameLen: 2},
	"d_lookup return: 0xffff8976c6763020 | " + `tab\tand\\` + "\xff":                         {Role: schema.RoleLookup, Phase: schema.Exit, Columns: both, Symbol: "d_lookup", NameAddr: a, Name: "tab\tand\\\xff", NameLen: 9},
	"d_lookup return: 0xffff8976c6763020 | " + `C:\q`:                                        {Role: schema.RoleLookup, Phase: schema.Exit, Columns: both, Symbol: "d_lookup", NameAddr: a, Name: `C:\q`, NameLen: 4},
	"__d_lookup entry: hash 1 length 2 name " + `\n\nx/y`:                                    {Role: schema.RoleLookupChain, Phase: schema.Enter, Columns: key, Symbol: "__d_lookup", Hash: 1, Name: "\n\n", NameLen: 2},
	"- do_filp_open return pointer: not printed for a (open returned -1)":                    {},
	"my (42): drop_caches: 1":                                                                {},
	"optional probe not registered: d_add_ci":                                                {},
	"└─ do_filp_open entry 0xffff8976c6763020":                                               {},
	"before drop_caches: __d_add 0xffff8976c6763020 -> do_filp_open return 0xffff8976c67630": {},
	"d_lookup entry: hash 4294967296 length 3 name tmp":                                      {},
	"[O] IN: 0xffff... | /tmp/t_e.txt":                                                       {},
	"[A] SRC: 0xffff8976c6763020 and more":                                                   {},
}

// Every form of line is read as the event it says.
func TestForms(t *testing.T) {
	for line, want := range formCases {
		got := one(t, line)
		if want.Role == 0 {
			if len(got) != 0 {
				t.Errorf("%s\nis %+v", line, got)
			}
			continue
		}
		if d := cmp.Diff([]schema.Event{want}, got); d != "" {
			t.Errorf("%s\n%s", line, d)
		}
	}
}

// A bullet may say two events. What __d_alloc returned is said twice and becomes one event.
func TestBulletsOfSeveralEvents(t *testing.T) {
	l := read(t, `- before drop_caches: __d_add entry 0xffff8977185a9578 | t, x.txt, do_filp_open return pointer 0xffff8977185a9578 | t, x.txt
- __d_alloc return pointer = 0xffff8977185a9578
- copy destination pointer = 0xffff8977185a9578
- __d_alloc return pointer = 0xffff8977185a9578
- copy destination pointer = 0xffff8977185a9638
`)
	var got []string
	for _, e := range l.Runs[0].Events {
		got = append(got, e.Role.Label()+" "+e.Name)
	}
	if d := cmp.Diff([]string{"insert t, x.txt", "open t, x.txt", "alloc ", "alloc ", "alloc "}, got); d != "" || l.Unknown != 0 {
		t.Error(d, l.Unknown)
	}
}

// Prefixes that tools put before a line are removed, and its time is read.
func TestPrefixes(t *testing.T) {
	const line = "d_lookup return: NULL"
	day := func(at clock, ns int64) stamp { return stamp{at, ns} }
	for before, want := range map[string]stamp{
		"":                                             {},
		"[    5.000123] ":                              day(printk, 5000123000),
		"123:[12345.678901] ":                          day(printk, 12345678901000),
		"123-[12345.678901][ T4711] ":                  day(printk, 12345678901000),
		"[sudo] password for r: [    1.000000] ":       day(printk, 1e9),
		"[sudo] password for r: 7:":                    {},
		"<6>[    1.000000] ":                           day(printk, 1e9),
		"kern  :info  : [    1.000000] ":               day(printk, 1e9),
		"[Thu Jan  1 00:00:05 1970] ":                  day(wallClock, 5e9),
		"3:[Thu Jan  1 00:00:05 1970] ":                day(wallClock, 5e9),
		"1970-01-01T00:00:05,000001+01:00 ":            day(wallClock, 5000001000),
		"1970-01-01T00:00:05.000001+01:00 vm kernel: ": day(wallClock, 5000001000),
		"Jan  1 00:00:05 vm kernel: ":                  day(syslog, 5e9+2*365*864e11),
		"Jan  1 00:00:05 vm kernel: [    1.000000] ":   day(printk, 1e9),
		"- [    1.000000] ":                            day(printk, 1e9),
		"12:- [    1.000000] ":                         day(printk, 1e9),
		"* [Thu Jan  1 00:00:05 1970] ":                day(wallClock, 5e9),
		"12:[sudo] password for r: [    5.000000] ":    day(printk, 5e9),
		"12:[sudo] password for r: ":                   {},
		"boot1.log:12:[    1.000000] ":                 day(printk, 1e9),
		"var/log/kern.1:12:- [    1.000000] ":          day(printk, 1e9),
		"b-2.log-12-[    1.000000] ":                   day(printk, 1e9),
		"boot1.log:[    1.000000] ":                    day(printk, 1e9),
		"boot1.log:12:":                                {},
		"boot1.log:12:Jan  1 00:00:05 vm kernel: ":     day(syslog, 5e9+2*365*864e11),
	} {
		if got := parseLine(before + line); got.text != line || got.at != want || got.listed {
			t.Errorf("%q: %+v, want %+v", before, got, want)
		}
		if got := one(t, before+line); len(got) != 1 {
			t.Errorf("%q: events %v", before, got)
		}
	}
}

// A number after the dash of a bullet is not a line number, because a name may begin with one.
func TestPlacesStandBeforeTheBullet(t *testing.T) {
	for line, name := range map[string]string{
		"- 5-x hit: __d_lookup_rcu return = 0xffff8976c6763020":         "5-x",
		"12:- 5:7-x hit: __d_lookup_rcu return = 0xffff8976c6763020":    "5:7-x",
		"12:- a:5:x hit: __d_lookup_rcu return = 0xffff8976c6763020":    "a:5:x",
		"a b-1-[x] hit: __d_lookup_rcu return = 0xffff8976c6763020":     "",
		"- do_filp_open entry pointer = 0xffff8976c6763020 | a:1:[x] b": "a:1:[x] b",
	} {
		if got := one(t, line); len(got) != 1 && name != "" || len(got) == 1 && got[0].Name != name {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

// In a bullet a name is in a code span; in a line of a log it is read as it is.
func TestNamesInCodeSpans(t *testing.T) {
	for line, name := range map[string]string{
		"- do_filp_open entry pointer = 0xffff8976c6763020 | `/tmp/a b`":     "/tmp/a b",
		"- do_filp_open entry pointer = 0xffff8976c6763020 | `/tmp/x` (#10)": "/tmp/x",
		"- [O] IN: 0xffff8976c6763020 | `/tmp/x`":                            "/tmp/x",
		"12:* __d_lookup entry: hash 1 length 2 name `tm`":                   "tm",
		"- __d_lookup entry: hash 1 length 3 name `tmp/x` and so on":         "tmp",
		"- d_delete entry: 0xffff8976c6763020 | `` `a`b ``":                  "`a`b",
		"- d_delete entry: 0xffff8976c6763020 | ``a`` b`":                    "a",
		"- d_delete entry: 0xffff8976c6763020 | `   `":                       "   ",
		"- d_delete entry: 0xffff8976c6763020 | `a\\n`":                      "a\n",
		"- `x y` hit: __d_lookup_rcu return = 0xffff8976c6763020":            "x y",
		"- d_delete entry: 0xffff8976c6763020 | `a`b":                        "`a`b",
		"- d_delete entry: 0xffff8976c6763020 | ``a`":                        "``a`",
		"d_delete entry: 0xffff8976c6763020 | `a`":                           "`a`",
		"- [    1.000000] d_delete entry: 0xffff8976c6763020 | `a`":          "`a`",
		"[    1.000000] __d_lookup entry: hash 1 length 2 name `tmp`":        "`t",
	} {
		if got := one(t, line); len(got) != 1 || got[0].Name != name {
			t.Errorf("%s: %+v, want %q", line, got, name)
		}
	}
}

func TestOtherLinesAreCountedAndListed(t *testing.T) {
	type told struct {
		Line   uint64
		Text   string
		Broken bool
	}
	var got []told
	l, err := Read(strings.NewReader("usb 1-1: new device\n\n[A] DST: 0xffff8976c6763020\nd_lookup entry: hash x\n"+strings.Repeat("y", maxLine+9)+"\n[A] SRC: 0xffff8976c6763020"),
		func(line uint64, text string, broken bool) {
			got = append(got, told{line, text[:min(len(text), 30)], broken})
		})
	if err != nil {
		t.Fatal(err)
	}
	want := []told{{1, "usb 1-1: new device", false}, {2, "", false}, {4, "d_lookup entry: hash x", true}, {5, strings.Repeat("y", 30), false}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(&Log{Lines: 6, Unknown: 4, Broken: 1}, l, cmpopts.IgnoreFields(Log{}, "Runs")); d != "" || len(l.Runs[0].Events) != 2 {
		t.Error(d)
	}
}

// A name in a line that was cut at maxLine shows that it is cut, and so does one longer than PATH_MAX.
func TestLongNamesAreCut(t *testing.T) {
	for _, n := range []int{4095, 4096, maxLine - 40, 100_000} {
		got := one(t, "[O] IN: 0xffff8976c6763020 | "+strings.Repeat("n", n))
		if len(got) != 1 || got[0].NameCut() != (n > 4095) || len(got[0].Name) != 4095 {
			t.Errorf("%d bytes: %d events, length %d, cut %v", n, len(got), got[0].NameLen, got[0].NameCut())
		}
	}
}
