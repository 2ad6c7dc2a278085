// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
)

// constants writes the configuration into the object before it is loaded. Self is the calling process's tgid
// in the initial pid namespace, root its root directory (addresses of mount and dentry).
func (c *Config) constants(spec *ebpf.CollectionSpec, self uint32, root [2]uint64, kernel kernelFacts, countRuns bool) error {
	if len(c.PIDs) > 0 && int(self) != os.Getpid() {
		return fmt.Errorf("process ids of a pid namespace mean nothing to the kernel side: run in the initial one")
	}
	ring, watch := cmp.Or(c.RingBytes, DefaultRingBytes), cmp.Or(c.WatchLimit, DefaultWatchLimit)
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count cpus: %w", err)
	}
	spec.Maps["events"].MaxEntries = ring
	spec.Maps["watch"].MaxEntries = watch
	spec.Maps["losses"].MaxEntries = uint32(cpus * lossCauses * lossRoles)
	values := map[string]any{
		"recorder_tgid":   self,
		"follow_children": c.FollowChildren,
		"match_listed":    c.follows(),
		"match_all":       c.All,
		"match_comm":      c.Comm != "",
		"comm_words":      commWords(c.Comm),
		"comm_mask":       commWords(strings.Repeat("\xff", len(c.Comm)+1)),
		"dcache_mounted":  kernel.mounted,
		"dcache_op_hash":  kernel.opHash,
		"own_root":        root,
		"wakeup_bytes":    uint64(ring / 4),
		"count_runs":      countRuns,
		"has_cgroups":     cgroup2Mount("/proc/self/mountinfo") != "",
	}
	if c.Cgroup != "" {
		id, level, err := cgroupID(c.Cgroup)
		if err != nil {
			return err
		}
		values["match_cgroup"], values["cgroup_id"], values["cgroup_level"] = true, id, level
	}
	return setAll(spec, values)
}

const commSize = 16 // TASK_COMM_LEN

// commWords returns a task name as the two zero-padded words that the BPF programs compare.
func commWords(comm string) [2]uint64 {
	var b [commSize]byte
	copy(b[:commSize-1], comm)
	return [2]uint64{binary.NativeEndian.Uint64(b[:8]), binary.NativeEndian.Uint64(b[8:])}
}
