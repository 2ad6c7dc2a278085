// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// probe is the entry or return of one kernel function, as every tool records it. dtrec has these roles built
// in; the other tools are told what to record. They record less than dtrec does: they do not identify the
// dentry that a lookup returns, nor the filesystem.
type probe struct {
	name   string // role and phase, such as lookup_rcu_exit
	symbol string // kernel function on Linux 6.1
	// What is read, for the kernel's kprobe events (fetch) and for bpftrace (format and values).
	fetch  string
	format string
	values string
}

// exit reports whether the probe is on return.
func (p probe) exit() bool { return strings.HasSuffix(p.name, "_exit") }

// What the probes read. The offsets are those of Linux 5.10 to 7.1: qstr {hash_len, name}, filename {name},
// dentry with d_parent at 24, d_name at 32, d_inode at 48.
const (
	pathFetch   = `name=+0(+0(%si)):string flags=+0(%dx):x32`
	keyFetch    = `parent=%di hash=+0(%si):x64 name=+0(+8(%si)):string`
	dentryFetch = `dentry=%di parent=+24(%di):x64 hash=+32(%di):x64 inode=+48(%di):x64 name=+0(+40(%di)):string`
	retFetch    = `ret=$retval inode=+48($retval):x64`

	// Words at an offset, because bpftrace 0.17 crashes on the kernel's own struct qstr and struct dentry.
	pathValues   = `str(*(arg1))`
	keyValues    = `arg0, *(arg1), str(*(arg1+8))`
	dentryValues = `arg0, *(arg0+24), *(arg0+32), *(arg0+48), str(*(arg0+40))`
	retValues    = `retval`
)

// probes returns the probes that the work hits. insert is the entry of __d_rehash for the other tools but its
// return for dtrec, because their return probes have no arguments.
func probes() []probe {
	path := func(name, symbol string) probe { return probe{name, symbol, pathFetch, "%s", pathValues} }
	key := func(name, symbol string) probe { return probe{name, symbol, keyFetch, "%llx %llx %s", keyValues} }
	dentry := func(name, symbol string) probe {
		return probe{name, symbol, dentryFetch, "%llx %llx %llx %llx %s", dentryValues}
	}
	ret := func(name, symbol string) probe { return probe{name, symbol, retFetch, "%llx", retValues} }
	return []probe{
		path("open_enter", "do_filp_open"), ret("open_exit", "do_filp_open"),
		key("lookup_enter", "d_lookup"), ret("lookup_exit", "d_lookup"),
		key("lookup_chain_enter", "__d_lookup"), ret("lookup_chain_exit", "__d_lookup"),
		key("lookup_rcu_enter", "__d_lookup_rcu"), ret("lookup_rcu_exit", "__d_lookup_rcu"),
		key("alloc_enter", "__d_alloc"), ret("alloc_exit", "__d_alloc"),
		dentry("insert_enter", "__d_rehash"),
		dentry("drop_enter", "__d_drop"), dentry("kill_enter", "__dentry_kill"), dentry("free_enter", "dentry_free"),
	}
}

// roles returns the roles of the probes, for dtrec's --only.
func roles() string {
	var names []string
	for _, p := range probes() {
		role := strings.TrimSuffix(strings.TrimSuffix(p.name, "_enter"), "_exit")
		if !slices.Contains(names, role) {
			names = append(names, role)
		}
	}
	return strings.Join(names, ",")
}

const (
	tracefs = "/sys/kernel/tracing"
	group   = "dtbench" // group name of the kprobe events
)

// defineEvents creates a kprobe event for each probe, for perf and trace-cmd.
func defineEvents() error {
	var lines strings.Builder
	for _, p := range probes() {
		kind := "p"
		if p.exit() {
			kind = "r"
		}
		fmt.Fprintf(&lines, "%s:%s/%s %s %s\n", kind, group, p.name, p.symbol, p.fetch)
	}
	return os.WriteFile(filepath.Join(tracefs, "kprobe_events"), []byte(lines.String()), 0o644)
}

// countHits makes the kernel's kprobe events count without recording anything: the filter rejects every
// record.
func countHits() error {
	events := filepath.Join(tracefs, "events", group)
	if err := os.WriteFile(filepath.Join(events, "filter"), []byte("common_pid == 0"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(events, "enable"), []byte("1"), 0o644)
}

// removeEvents undoes defineEvents and countHits.
func removeEvents() error {
	err := os.WriteFile(filepath.Join(tracefs, "events", group, "enable"), []byte("0"), 0o644)
	return errors.Join(err, os.WriteFile(filepath.Join(tracefs, "kprobe_events"), nil, 0o644))
}

// profile returns how often each kprobe event was hit since it was created, and how many hits were missed
// altogether.
func profile() (hits map[string]uint64, missed uint64, err error) {
	text, err := os.ReadFile(filepath.Join(tracefs, "kprobe_profile"))
	if err != nil {
		return nil, 0, err
	}
	hits = map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		var name string
		var hit, miss uint64
		if n, _ := fmt.Sscan(line, &name, &hit, &miss); n == 3 {
			hits[name] = hit
			missed += miss
		}
	}
	return hits, missed, nil
}

// bpftraceScript returns a script that prints a line for each hit.
func bpftraceScript(filter string) string {
	var s strings.Builder
	for _, p := range probes() {
		kind := "kprobe"
		if p.exit() {
			kind = "kretprobe"
		}
		action := fmt.Sprintf(`printf("%s %%llu %%d %s\n", nsecs, tid, %s);`, p.name, p.format, p.values)
		fmt.Fprintf(&s, "%s:%s /%s/ { %s }\n", kind, p.symbol, filter, action)
	}
	return s.String()
}
