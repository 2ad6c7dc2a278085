// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"crypto/rand"
	"os"
	"strings"
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
)

// newHeader describes the machine and the settings of the recording that begins now.
func newHeader(c *Config, s *bpf.Session) (*schema.Header, error) {
	id := make([]byte, 16)
	rand.Read(id) // never fails
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	var probes []*schema.Probe
	for _, a := range s.Attempts() {
		probes = append(probes, a.Probe)
	}
	h := &schema.Header{
		Writer:          c.Writer,
		RunId:           id,
		BootId:          strings.TrimSpace(string(boot)),
		StartUnixNs:     time.Now().UnixNano(),
		StartBootNs:     bpf.Now(),
		Kernel:          bpf.Kernel(),
		Command:         c.commandLine(),
		Probe:           probes,
		Layout:          s.Layout(),
		Target:          c.targetText(),
		RingBufferBytes: uint64(c.ringBytes()),
		WatchLimit:      c.watchLimit(),
		ParentsWatched:  true,
	}
	if c.Rotate > 0 {
		h.Part, h.RecordingId = 1, id
	}
	return h, nil
}
