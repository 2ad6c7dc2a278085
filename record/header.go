// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// newHeader says where and how the recording that begins now is made.
func newHeader(c *Config, s *bpf.Session) (*schema.Header, error) {
	kernel, err := uname()
	if err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return &schema.Header{
		Writer:          c.Writer,
		RunId:           id,
		BootId:          strings.TrimSpace(string(boot)),
		StartUnixNs:     time.Now().UnixNano(),
		StartBootNs:     bpf.Now(),
		Kernel:          kernel,
		Command:         c.words(),
		Probe:           translateProbes(s.Attempts()),
		Layout:          translateLayout(s.Layout()),
		Target:          c.target(),
		RingBufferBytes: uint64(c.ringBytes()),
		WatchLimit:      c.watchLimit(),
		ParentsWatched:  true,
	}, nil
}

func uname() (*schema.Kernel, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	return &schema.Kernel{
		Release: unix.ByteSliceToString(u.Release[:]),
		Version: unix.ByteSliceToString(u.Version[:]),
		Machine: unix.ByteSliceToString(u.Machine[:]),
	}, nil
}

func translateProbes(attempts []bpf.Attempt) []*schema.Probe {
	var probes []*schema.Probe
	for _, a := range attempts {
		p := &schema.Probe{
			Role: schema.Role(a.Role), Phase: schema.Phase(a.Phase), Symbol: a.Symbol,
			Attach: schema.Attach(a.Attach), Attached: a.Attached, Required: a.Required, Uncounted: a.Uncounted,
		}
		if a.Err != nil {
			p.Error = a.Err.Error()
		}
		probes = append(probes, p)
	}
	return probes
}

func translateLayout(l bpf.Layout) *schema.Layout {
	layout := &schema.Layout{
		DentrySize: l.DentrySize, DHash: l.DHash, DParent: l.DParent, DName: l.DName, DInode: l.DInode,
		InlineName: l.InlineName, InlineNameSize: l.InlineNameSize, InlineNameField: l.InlineNameField,
		ExternalName: l.ExternalName, FilenameName: l.FilenameName, FilenameIname: l.FilenameIname,
		DentryHashtable: l.DentryHashtable, DHashShift: l.DHashShift, PageSize: l.PageSize,
	}
	if l.NameHashWord64 {
		layout.NameHash = schema.NameHash_NAME_HASH_WORD64_LE
	}
	return layout
}
