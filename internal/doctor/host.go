// SPDX-License-Identifier: Apache-2.0

//go:build linux

package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// host holds what a machine's distribution and configuration say about it, that is, settings from outside the
// kernel.
type host struct {
	name             string // such as "Debian GNU/Linux 12 (bookworm)"; empty if it is not known
	distribution     *distribution
	secureBoot       string // "on" or "off"; empty if there is no UEFI or it cannot be read
	paranoid         string // kernel.perf_event_paranoid
	kptrRestrict     string // kernel.kptr_restrict
	notInBoundingSet []string
	syslog           bool   // this process has CAP_SYSLOG
	container        string // kind of container: docker, podman, lxc …; empty if not in one
	seccomp          bool   // seccomp filters this process's system calls
	nested           bool   // in a PID namespace of its own
	variables        bool   // kallsyms lists variables, not functions only
	addresses        bool   // kallsyms shows addresses
}

// initialPIDs is the inode of the initial PID namespace, PROC_PID_INIT_INO.
const initialPIDs = "pid:[4026531836]"

// usefulCapabilities lists the capabilities that recording may use.
var usefulCapabilities = []struct {
	bit  int
	name string
}{{unix.CAP_BPF, "CAP_BPF"}, {unix.CAP_PERFMON, "CAP_PERFMON"}, {unix.CAP_SYSLOG, "CAP_SYSLOG"}, {unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}}

// readHost reads the files of a machine below root, which is "/" except in tests.
func readHost(root string) host {
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(root, name))
		return strings.TrimSpace(string(text))
	}
	release := fields(read("etc/os-release"), "=")
	h := host{
		name: release["PRETTY_NAME"], distribution: distributionOf(release["ID"], release["ID_LIKE"]),
		paranoid: read("proc/sys/kernel/perf_event_paranoid"), kptrRestrict: read("proc/sys/kernel/kptr_restrict"),
	}
	status := fields(read("proc/self/status"), ":")
	effective, _ := strconv.ParseUint(status["CapEff"], 16, 64)
	h.syslog = effective&(1<<unix.CAP_SYSLOG) != 0
	h.seccomp = status["Seccomp"] == "2"
	if bounding, err := strconv.ParseUint(status["CapBnd"], 16, 64); err == nil {
		for _, c := range usefulCapabilities {
			if bounding&(1<<c.bit) == 0 {
				h.notInBoundingSet = append(h.notInBoundingSet, c.name)
			}
		}
	}
	if variable, err := filepath.Glob(filepath.Join(root, "sys/firmware/efi/efivars/SecureBoot-*")); err == nil && len(variable) > 0 {
		if value, err := os.ReadFile(variable[0]); err == nil && len(value) == 5 { // 4 bytes of attributes before the value
			h.secureBoot = map[byte]string{0: "off", 1: "on"}[value[4]]
		}
	}
	h.container = containerOf(root, read)
	if ns, err := os.Readlink(filepath.Join(root, "proc/self/ns/pid")); err == nil {
		h.nested = ns != initialPIDs
	}
	h.variables, h.addresses = symbolsOf(filepath.Join(root, "proc/kallsyms"))
	return h
}

// containerOf returns the kind of container that these files are in; empty if they are in none.
func containerOf(root string, read func(string) string) string {
	for _, mark := range [][2]string{{".dockerenv", "docker"}, {"run/.containerenv", "podman"}} {
		if _, err := os.Stat(filepath.Join(root, mark[0])); err == nil {
			return mark[1]
		}
	}
	for _, entry := range strings.Split(read("proc/1/environ"), "\x00") {
		if kind, ok := strings.CutPrefix(entry, "container="); ok {
			return kind
		}
	}
	return read("run/systemd/container")
}

// fields reads lines of a name and a value with a separator in between, without the quotes that os-release has around
// values.
func fields(text, separator string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), separator); ok {
			found[name] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return found
}

// checks returns the checks on the host.
func (h host) checks() []Check {
	list := []Check{h.boundingCheck(), h.paranoidCheck(), h.pointerCheck()}
	if h.name != "" {
		said := Check{Name: "distribution", State: Note, Value: h.name + "; remedies are in the words of " + h.distribution.name}
		list = append([]Check{said}, list...)
	}
	if h.secureBoot != "" {
		list = append(list, Check{Name: "Secure Boot", State: Note, Value: h.secureBoot + "; it may turn lockdown on, see there"})
	}
	var said []string
	if h.container != "" {
		said = append(said, h.container)
	}
	if h.nested {
		said = append(said, "in a PID namespace: the pids in a trace are the host's")
	}
	if h.seccomp {
		said = append(said, "seccomp filters system calls, and may refuse bpf(2)")
	}
	if len(said) > 0 {
		list = append(list, Check{Name: "container", State: Note, Value: strings.Join(said, "; ")})
	}
	return list
}

func (h host) boundingCheck() Check {
	lacks := func(name string) bool { return slices.Contains(h.notInBoundingSet, name) }
	c := Check{Name: "bounding set", State: OK, Value: "recording's capabilities are within it"}
	switch {
	case lacks("CAP_SYS_ADMIN") && (lacks("CAP_BPF") || lacks("CAP_PERFMON")):
		c.State, c.Value = Missing, "without "+strings.Join(h.notInBoundingSet, ", ")+": not even root gets them here"
		c.Remedy = "run the container with --cap-add BPF --cap-add PERFMON --cap-add SYSLOG (or --privileged)"
	case len(h.notInBoundingSet) > 0:
		c.State, c.Value = Note, "without "+strings.Join(h.notInBoundingSet, ", ")
	}
	return c
}

// paranoidCheck reports the level of kernel.perf_event_paranoid, which matters only without CAP_PERFMON.
// Levels above 2 exist only on Debian and Ubuntu.
func (h host) paranoidCheck() Check {
	c := Check{Name: "perf events", State: Note, Value: "kernel.perf_event_paranoid=" + h.paranoid + " (nothing to recording, which has CAP_PERFMON)"}
	if h.paranoid == "" {
		c.State, c.Value = Unknown, "no kernel.perf_event_paranoid: the kernel has no perf events, and kprobes want them (CONFIG_PERF_EVENTS)"
	}
	return c
}

func (h host) pointerCheck() Check {
	c := Check{Name: "kernel addresses", State: OK, Value: fmt.Sprintf("kernel.kptr_restrict=%s, and kallsyms tells them", h.kptrRestrict)}
	switch {
	case h.addresses && !h.variables:
		c.State, c.Value = Missing, "kallsyms lists functions only: no bucket claims"
		c.Remedy = "a kernel built with CONFIG_KALLSYMS_ALL=y lists variables"
	case h.addresses:
	case h.kptrRestrict == "2":
		c.State, c.Value = Missing, "kernel.kptr_restrict=2 hides them from everybody: no bucket claims"
		c.Remedy = "sysctl kernel.kptr_restrict=1; to keep it: echo kernel.kptr_restrict=1 > /etc/sysctl.d/60-dtrec.conf"
	case !h.syslog:
		c.State, c.Value = Missing, "hidden from who has no CAP_SYSLOG (kernel.kptr_restrict="+h.kptrRestrict+"): no bucket claims"
		c.Remedy = "run it with sudo, or setcap cap_bpf,cap_perfmon,cap_syslog+ep"
	default:
		c.State, c.Value = Unknown, "kernel.kptr_restrict="+h.kptrRestrict+", and kallsyms tells none"
	}
	return c
}
